"""What a cluster on one machine is made of, read from the parts before any of them is started."""

from __future__ import annotations

from pathlib import Path

from chassis import broker, grpc_client
from cli.local import access, cluster, ports, processes, shape, sign_ins
from cli.local.place import Place, addresses
from cli.local.ports import Ports

CHOSEN = Ports(18400)


def parts(tmp_path: Path, replicas: int) -> list[processes.Part]:
    """The parts of a system with so many replicas, nothing started."""
    place = Place(tmp_path)
    access.create(place.access)
    known = addresses(place, CHOSEN, "mongodb://127.0.0.1/", "amqp://127.0.0.1/", replicas)
    sign_ins.prepare(place, CHOSEN)
    return processes.parts(place, known, {})


def test_a_cluster_has_two_of_each_api_and_worker_and_one_of_all_else(tmp_path: Path) -> None:
    """Doors are any number, keepers and listeners are one; a system without a cluster has no second of anything."""
    names = [part.name for part in parts(tmp_path, 2)]
    one = [part.name for part in parts(tmp_path, 1)]
    twice = {f"{service}-{role}-2" for service in ports.SERVICES for role in ("api", "worker")}
    assert set(names) - set(one) == twice
    assert len(names) == len(set(names)) == len(one) + 8


def test_a_replica_has_the_same_user_and_keys_and_doors_of_its_own(tmp_path: Path) -> None:
    """Two replicas differ in where they listen, and in nothing that they may do."""
    known = {part.name: part for part in parts(tmp_path, 2)}
    first, second = known["matching-api"], known["matching-api-2"]
    doors = {"KINDRED_GRPC_ADDRESS", "KINDRED_HTTP_ADDRESS", "KINDRED_PAGES_URL"}
    assert {name for name in second.env if first.env.get(name) != second.env[name]} == doors
    assert second.env["KINDRED_PAGES_URL"] == f"http://{first.env['KINDRED_HTTP_ADDRESS']}"


def test_no_two_parts_share_a_port(tmp_path: Path) -> None:
    """All nodes and replicas of a cluster fit into one block."""
    nodes = [
        node for member in cluster.members(CHOSEN, 3) for node in (member.mongod, member.amqp, member.erlang)
    ]
    doors = [
        int(address.rpartition(":")[2])
        for part in parts(tmp_path, 2)
        for name, address in part.env.items()
        if name in ("KINDRED_GRPC_ADDRESS", "KINDRED_HTTP_ADDRESS", "KINDRED_MLLP_ADDRESS")
    ]
    used = [*nodes, CHOSEN.epmd, CHOSEN.smtp, CHOSEN.issuer, *doors]
    assert len(used) == len(set(used))
    assert all(CHOSEN.base <= port < CHOSEN.base + ports.BLOCK for port in used)


def test_every_node_of_an_address_gets_the_users_name() -> None:
    """A process's address names it at each node of the broker, and at each member of the database."""
    amqp = access.as_user("amqp://kindred:a@127.0.0.1:1/v;amqp://kindred:a@127.0.0.1:2/v", "intake-api", "b")
    assert amqp == "amqp://intake-api:b@127.0.0.1:1/v;amqp://intake-api:b@127.0.0.1:2/v"
    mongo = access.as_user("mongodb://kindred:a@h1:1,h2:2,h3:3/?replicaSet=kindred", "intake-api", "b")
    assert mongo == "mongodb://intake-api:b@h1:1,h2:2,h3:3/?replicaSet=kindred"


def test_a_place_keeps_its_shape_as_long_as_its_data(tmp_path: Path) -> None:
    """What was made as a cluster comes back as one, whoever starts it; an ordinary place is told nothing."""
    assert shape.of(Place(tmp_path)) == shape.ONE
    assert not list(tmp_path.iterdir())
    assert shape.of(Place(tmp_path), shape.CLUSTER) == shape.CLUSTER
    assert shape.of(Place(tmp_path)) == shape.CLUSTER


def test_nodes_know_each_other_and_wait_for_each_other(tmp_path: Path) -> None:
    """Each node is told of all, stops in a minority, and makes no queue before every node can have its member."""
    nodes = cluster.nodes_of(tmp_path, CHOSEN, 3)
    assert [node.name for node in nodes] == [f"kindred{number}@localhost" for number in (1, 2, 3)]
    for node in nodes:
        assert "cluster_partition_handling = pause_minority" in node.settings
        assert "cluster_formation.target_cluster_size_hint = 3" in node.settings
        assert all(any(other.name in line for line in node.settings) for other in nodes)


def test_clients_begin_with_any_node_and_go_round_all() -> None:
    """Connections are spread over the nodes, and every node is tried."""
    uri = "amqp://a/v; amqp://b/v ;amqp://c/v"
    seen = {tuple(broker.addresses(uri)) for _ in range(200)}
    a, b, c = "amqp://a/v", "amqp://b/v", "amqp://c/v"
    assert seen == {(a, b, c), (b, c, a), (c, a, b)}
    assert broker.addresses("") == []


def test_callers_know_every_replica_of_whom_they_call(tmp_path: Path) -> None:
    """An address of several replicas is one that grpc goes round, checked as the first one's host."""
    known = {part.name: part for part in parts(tmp_path, 2)}
    address = known["audit-api"].env["KINDRED_INTAKE_GRPC"]
    assert address == "127.0.0.1:18410,127.0.0.1:18440"
    assert known["audit-api-2"].env["KINDRED_INTAKE_GRPC"] == address
    where, options = grpc_client.target(address)
    assert (where, dict(options)) == (f"ipv4:{address}", {"grpc.default_authority": "127.0.0.1:18410"})
    assert grpc_client.target("dns:///intake-api:50051") == ("dns:///intake-api:50051", [])
