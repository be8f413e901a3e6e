"""deploy/k8s keeps to the schema of Kubernetes, and says what the code says of ports, roles, settings and secrets."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from chassis import topology
from chassis.lifecycle import GRACE_S
from cli.local import access, authority, cluster, keys, provision, rights
from cli.local.database_users import REPLICA_SET
from cli.local.ports import Ports
from services.audit.keepers.keeper import KeeperSettings

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "k8s"
DEFINITIONS = FOLDER.parent / "rabbitmq" / "definitions.json"
KUBERNETES = "1.33"
KNOWN_FIELDS = json.loads(Path(__file__).with_name("operator_fields.json").read_text(encoding="utf-8"))
PROCESSES = [
    *((service, role) for service in rights.SERVICES for role in ("api", "worker")),
    ("intake", "mllp"),
]
KEEPERS = ("signer", "witness")
# Made by hand, because they are the operator's own (README.md of the folder names them).
BY_HAND = {
    "sign-in-intake",
    "sign-in-matching",
    "sign-in-notifications",
    "sign-in-audit",
    "channels",
    "hospitals",
}
SCRIPT = (FOLDER / "secrets.sh").read_text(encoding="utf-8")


def documents() -> list[dict[str, Any]]:
    """Every object that kustomize puts together."""
    named = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    return [doc for name in named for doc in yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8"))]


DOCUMENTS = documents()


def of(kind: str) -> dict[str, dict[str, Any]]:
    """The objects of a kind, by name."""
    return {doc["metadata"]["name"]: doc for doc in DOCUMENTS if doc["kind"] == kind}


def is_an_operators(doc: dict[str, Any]) -> bool:
    return f"{doc['apiVersion']} {doc['kind']}" in KNOWN_FIELDS


def pods() -> dict[str, dict[str, Any]]:
    """The pod of each workload of ours, by name."""
    kinds = ("Deployment", "StatefulSet", "Job")
    return {name: doc["spec"]["template"]["spec"] for kind in kinds for name, doc in of(kind).items()}


def environment(pod: dict[str, Any]) -> dict[str, str]:
    """What the process is told, in the order in which Kubernetes puts it together; secrets have no value here."""
    container = pod["containers"][0]
    told: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        if "configMapRef" in source:
            told |= of("ConfigMap")[source["configMapRef"]["name"]]["data"]
    return told | {one["name"]: one["value"] for one in container.get("env", ())}


def test_every_file_is_put_together() -> None:
    """No file of the folder is forgotten by kustomize, and no object is there twice."""
    named = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    assert sorted(named) == sorted(p.name for p in FOLDER.glob("*.yaml") if p.name != "kustomization.yaml")
    assert max(Counter((doc["kind"], doc["metadata"]["name"]) for doc in DOCUMENTS).values()) == 1


@pytest.mark.parametrize(
    "doc",
    [doc for doc in DOCUMENTS if not is_an_operators(doc)],
    ids=lambda d: f"{d['kind']} {d['metadata']['name']}",
)
def test_what_is_kubernetes_own_keeps_to_its_schema(doc: dict[str, Any]) -> None:
    """The strict schema: a misspelled field is refused, as is a wrong type."""
    kubernetes_validate.validate(doc, KUBERNETES, strict=True)


def test_the_check_can_fail() -> None:
    """A misspelled field, a number where a text belongs, an unknown field of an operator: each is noticed."""
    broken = json.loads(json.dumps(of("Deployment")["intake-api"]))
    broken["spec"]["template"]["spec"]["containers"][0]["redinessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, KUBERNETES, strict=True)
    broken = json.loads(json.dumps(of("ConfigMap")["notifications"]))
    broken["data"]["KINDRED_SMTP_PORT"] = 587
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, KUBERNETES, strict=True)
    assert list(unknown_fields({**of("RabbitmqCluster")["rabbitmq"], "spec": {"replica": 3}})) == [
        "spec.replica"
    ]


def leaves(found: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every value of an object, with its path."""
    if isinstance(found, dict) and found:
        for key, value in found.items():
            yield from leaves(value, f"{path}.{key}")
    elif isinstance(found, list):
        for value in found:
            yield from leaves(value, f"{path}.[]")
    else:
        yield path, found


def unknown_fields(doc: dict[str, Any]) -> Iterator[str]:
    """Fields that the operator's definition does not have, or has with another type."""
    known = KNOWN_FIELDS[f"{doc['apiVersion']} {doc['kind']}"]
    types = {"string": str, "integer": int, "boolean": bool, "object": dict, "quantity": (str, int)}
    for path, value in leaves(doc["spec"], "spec"):
        # A path that ends in * stands for any name below it, in ** for anything at all.
        wide = next((one for one in known if one.endswith("*") and path.startswith(one.rstrip("*"))), "")
        wanted = known.get(path) or known.get(wide)
        is_known = value in wanted if isinstance(wanted, list) else wanted == "any" or bool(wanted)
        if not is_known or (
            isinstance(wanted, str) and wanted in types and not isinstance(value, types[wanted])
        ):
            yield path


@pytest.mark.parametrize(
    "doc",
    [doc for doc in DOCUMENTS if is_an_operators(doc)],
    ids=lambda d: f"{d['kind']} {d['metadata']['name']}",
)
def test_what_is_an_operators_names_fields_it_has(doc: dict[str, Any]) -> None:
    """Look a new field up in the operator's resource definition, then add it to operator_fields.json."""
    assert list(unknown_fields(doc)) == []


@pytest.mark.parametrize(("service", "role"), PROCESSES)
def test_every_process_is_told_what_its_settings_ask_for(service: str, role: str) -> None:
    """Each of the nine has every required setting, none the code does not know, and its own database."""
    pod = pods()[f"{service}-{role}"]
    settings = import_module(f"services.{service}.settings").Settings
    known = {field.metadata["env"]: field for field in fields(settings) if "env" in field.metadata}
    told = environment(pod)
    given = {name.removesuffix("_FILE") for name in told}
    assert pod["containers"][0]["args"] == [f"services.{service}", role]
    assert {name for name, field in known.items() if field.default is field.default_factory} <= given
    assert given <= set(known)
    assert told["KINDRED_MONGO_DATABASE"] == rights.database_of(service)
    assert told["KINDRED_DECLARES_TOPOLOGY"] == "0"
    assert told["KINDRED_MODE"] == "production"
    assert not any("ALLOW" in name for name in told), "off one machine nothing is plain"


@pytest.mark.parametrize(("service", "role"), PROCESSES)
def test_every_process_has_its_own_keys_and_its_own_addresses(service: str, role: str) -> None:
    """Nobody holds another's password; an api alone has a certificate for its doors."""
    pod = pods()[f"{service}-{role}"]
    secrets = {one["name"]: one["secret"]["secretName"] for one in pod["volumes"] if "secret" in one}
    wanted = {"keys": f"keys-{service}", "access": f"access-{service}-{role}"}
    if role == "api":
        wanted |= {"tls": f"tls-{service}", "sign-in": f"sign-in-{service}"}
    if role == "mllp":
        wanted["tls"] = "tls-intake-mllp"
    assert secrets == wanted
    assert f"{service}-{role}" in {user.name for user in rights.users()}
    mounted = {one["name"]: one["mountPath"] for one in pod["containers"][0]["volumeMounts"]}
    assert set(mounted) == {one["name"] for one in pod["volumes"]}
    files = {
        value
        for name, value in environment(pod).items()
        if value.startswith("/") and name != "KINDRED_KEYS_DIR"
    }
    for file in files:
        assert any(file == path or file.startswith(f"{path}/") for path in mounted.values()), file


@pytest.mark.parametrize(("service", "role"), PROCESSES)
def test_every_process_listens_where_its_ports_and_probes_say(service: str, role: str) -> None:
    """Container ports, Services and probes name the addresses of the settings."""
    name = f"{service}-{role}"
    told, container = environment(pods()[name]), pods()[name]["containers"][0]
    doors = {"http": "KINDRED_HTTP_ADDRESS", "grpc": "KINDRED_GRPC_ADDRESS", "mllp": "KINDRED_MLLP_ADDRESS"}
    listens = {door: int(told[key].rpartition(":")[2]) for door, key in doors.items() if key in told}
    assert {one["name"]: one["containerPort"] for one in container["ports"]} == listens
    if role != "worker":
        service_of = of("Service")[name]["spec"]
        assert service_of["selector"] == {"app.kubernetes.io/name": name}
        for port in service_of["ports"]:
            assert port["port"] == listens[port["targetPort"]]
    scheme = "HTTPS" if "KINDRED_HTTP_TLS_CERT" in told else "HTTP"
    for probe, path in (
        ("startupProbe", "/healthz"),
        ("readinessProbe", "/readyz"),
        ("livenessProbe", "/healthz"),
    ):
        assert container[probe]["httpGet"] == {"path": path, "port": "http", "scheme": scheme}


def test_every_pod_is_confined() -> None:
    """No process may write to its image, be root, or gain rights; and it has the time to end what runs."""
    for name, pod in pods().items():
        container = pod["containers"][0]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
        assert container["securityContext"]["allowPrivilegeEscalation"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["automountServiceAccountToken"] is False, name
        assert {"requests", "limits"} == set(container["resources"]), name
        if name != "users":
            assert pod["terminationGracePeriodSeconds"] >= GRACE_S + 5, name


@pytest.mark.parametrize("role", KEEPERS)
def test_a_keeper_has_its_own_key_its_own_memory_and_no_database(role: str) -> None:
    """The signer and the witness are one each, and know neither database nor broker."""
    keeper = of("StatefulSet")[f"audit-{role}"]["spec"]
    pod = keeper["template"]["spec"]
    known = {field.metadata["env"] for field in fields(KeeperSettings)}
    assert keeper["replicas"] == 1
    assert set(environment(pod)) <= known
    assert [one["secret"]["secretName"] for one in pod["volumes"] if "secret" in one] == [f"keys-{role}"]
    assert [one["metadata"]["name"] for one in keeper["volumeClaimTemplates"]] == ["kept"]


def test_everything_scales_and_something_always_stays() -> None:
    """Each worker by its own inbox, each api by its load; of every Deployment one pod stays through a disruption."""
    deployments = set(of("Deployment"))
    budgets = {
        one["spec"]["selector"]["matchLabels"]["app.kubernetes.io/name"]
        for one in of("PodDisruptionBudget").values()
    }
    assert budgets == deployments
    queues = {queue["name"] for queue in json.loads(DEFINITIONS.read_text(encoding="utf-8"))["queues"]}
    scaled = {"intake-mllp"}
    for name, one in of("ScaledObject").items():
        service = name.removesuffix("-worker")
        assert one["spec"]["triggers"][0]["metadata"]["queueName"] == topology.inbox_name(service)
        assert topology.inbox_name(service) in queues
        assert one["spec"]["minReplicaCount"] >= 2
        scaled.add(one["spec"]["scaleTargetRef"]["name"])
    for one in of("HorizontalPodAutoscaler").values():
        assert one["spec"]["minReplicas"] >= 2
        scaled.add(one["spec"]["scaleTargetRef"]["name"])
    assert scaled == deployments


def named_secrets() -> set[str]:
    """Every Secret and ConfigMap that any object asks for and no file here holds."""
    text = json.dumps(DOCUMENTS)
    asked = set(re.findall(r'"secretName": "([^"]+)"', text))
    asked |= set(re.findall(r'"(?:secretRef|configMap|passwordSecretRef)": \{"name": "([^"]+)"', text))
    asked |= {
        one["name"] for doc in of("TriggerAuthentication").values() for one in doc["spec"]["secretTargetRef"]
    }
    return asked - set(of("ConfigMap"))


def made_by_script() -> set[str]:
    """What secrets.sh makes, its loops unrolled."""
    made = set(re.findall(r"^secret (\w+) ", SCRIPT, re.MULTILINE)) | set(
        re.findall(r"create configmap (\w+)", SCRIPT)
    )
    for names, body in re.findall(r"for one in ([^;]+); do\n(.*?)\ndone", SCRIPT, re.DOTALL):
        stems = re.findall(r'secret "([\w-]+)-\$one"', body)
        made |= {f"{stem}-{name}" for stem in stems for name in names.replace("\\", " ").split()}
    return made


def test_every_secret_is_made_by_somebody() -> None:
    """By secrets.sh, by cert-manager, or by hand as the README says."""
    certificates = {doc["spec"]["secretName"] for doc in of("Certificate").values()}
    assert named_secrets() - {"tls-authority"} <= made_by_script() | certificates | BY_HAND
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert all(name in readme for name in BY_HAND)


def test_what_the_script_makes_is_what_the_processes_read(tmp_path: Path) -> None:
    """The addresses name this database, this broker and the process's own user, under TLS."""
    mongo, amqp = (re.search(rf'^{name}="([^"]+)"', SCRIPT, re.MULTILINE)[1] for name in ("mongo", "amqp"))  # type: ignore[index]
    provision.provision(tmp_path, mongo, amqp)
    database, broker = of("MongoDBCommunity")["kindred"], of("RabbitmqCluster")["rabbitmq"]
    assert f"replicaSet={REPLICA_SET}" in mongo and database["metadata"]["name"] == REPLICA_SET
    hosts = [f"kindred-{number}.kindred-svc" for number in range(database["spec"]["members"])]
    assert all(f"{host}:27017" in mongo for host in hosts)
    assert set(hosts) <= set(of("Certificate")["mongodb"]["spec"]["dnsNames"])
    assert broker["metadata"]["name"] in of("Certificate")["rabbitmq"]["spec"]["dnsNames"]
    assert of("Job")["users"]["spec"]["template"]["spec"]["containers"][0]["args"][2] == mongo
    for service, role in PROCESSES:
        folder = tmp_path / f"access-{service}-{role}"
        assert (folder / access.MONGO).read_text().startswith(f"mongodb://{service}-{role}:")
        if role != "mllp":
            assert (folder / access.AMQP).read_text().startswith(f"amqps://{service}-{role}:")
        told = environment(pods()[f"{service}-{role}"])
        for value in (path for name, path in told.items() if name.endswith("_URI_FILE")):
            assert (folder / Path(value).name).is_file()
        if certificate := told.get("KINDRED_GRPC_TLS_CERT"):
            assert Path(certificate).name == authority.file_of(service)
            assert Path(certificate).name in keys.needed(tmp_path / "issuer", service)
    assert of("MongoDBCommunity")["kindred"]["spec"]["users"][0]["name"] == rights.OWNER
    assert rights.OWNER in access.passwords(tmp_path / "issuer" / "access")


def lets(policy: dict[str, Any], labels: dict[str, str]) -> bool:
    """True where the policy is about a pod with these labels."""
    return matches(policy["spec"]["podSelector"], labels)


def matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    wanted = selector.get("matchLabels", {}).items()
    among = selector.get("matchExpressions", ())
    return all(labels.get(k) == v for k, v in wanted) and all(
        labels.get(e["key"]) in e["values"] for e in among
    )


def reaches(name: str, role: str, port: int) -> bool:
    """True where the process may speak to something of this namespace at that port, by any policy."""
    labels = {"app.kubernetes.io/name": name, "kindred/role": role}
    rules = [
        rule
        for doc in of("NetworkPolicy").values()
        if lets(doc, labels)
        for rule in doc["spec"].get("egress", ())
    ]
    return any(
        port in (one["port"] for one in rule["ports"])
        and any("podSelector" in to for to in rule.get("to", ()))
        for rule in rules
    )


def test_who_speaks_to_whom_is_what_the_table_of_rights_says() -> None:
    """Only who has a user at the database or the broker reaches it; the keepers reach nothing."""
    for user in rights.users():
        if user.name in pods():
            role = user.name.partition("-")[2]
            assert reaches(user.name, role, 27017)
            assert reaches(user.name, role, 5671) == (user.broker is not None)
    for role in KEEPERS:
        assert not any(reaches(f"audit-{role}", role, port) for port in (27017, 5671, 50051, 8080))
    asks = {name for name in pods() if "KINDRED_INTAKE_GRPC" in environment(pods()[name])}
    assert asks == {name for name in pods() if reaches(name, name.partition("-")[2], 50051)}
    assert of("NetworkPolicy")["nothing-unless-named"]["spec"]["policyTypes"] == ["Ingress", "Egress"]


def test_the_broker_is_set_as_the_cluster_that_was_tried(tmp_path: Path) -> None:
    """Three nodes, the definitions of deploy/rabbitmq, and the settings with which the local cluster was broken."""
    told = of("RabbitmqCluster")["rabbitmq"]["spec"]
    nodes = cluster.nodes_of(tmp_path, Ports(18400), told["replicas"])
    lines = set(told["rabbitmq"]["additionalConfig"].splitlines())
    assert {"heartbeat = 15", "consumer_timeout = 900000", "queue_leader_locator = balanced"} <= lines
    assert "queue_leader_locator = balanced" in nodes[0].settings
    mounted = told["override"]["statefulSet"]["spec"]["template"]["spec"]
    assert mounted["containers"][0]["volumeMounts"][0]["mountPath"] == "/prepared"
    assert "load_definitions = /prepared/definitions.json" in lines
