"""Which of the log's keys each process of audit has."""

from services.audit import bootstrap
from services.audit.bootstrap import WritingRoom
from services.audit.tlog.notes import NoteSigner
from tests.audit_builders import settings_for


def test_api_and_worker_need_only_the_public_key(database, tmp_path, mongo_uri):
    """Rooms for reading and for writing are built where no private key is, and trust the same key."""
    settings = settings_for(database, tmp_path, mongo_uri)
    private = tmp_path / "audit.signer.pem"
    signer = NoteSigner.from_pem(settings.audit_origin, private.read_bytes())
    private.unlink()
    room = bootstrap.build_room(settings)
    assert not isinstance(room, WritingRoom)
    assert room.verifier.vkey() == signer.verifier.vkey()
    assert bootstrap.build_writing_room(settings).verifier.vkey() == signer.verifier.vkey()
