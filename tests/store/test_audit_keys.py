"""Which of the log's keys each process of audit has."""

import pytest

from services.audit import bootstrap
from services.audit.bootstrap import WritingRoom
from services.audit.tlog.notes import NoteRefused, NoteSigner
from tests.audit_builders import settings_for


def test_the_api_needs_only_the_public_key(database, tmp_path, mongo_uri):
    """A room for reading is built where no private key is, and trusts the same key."""
    settings = settings_for(database, tmp_path, mongo_uri)
    private = tmp_path / "audit.signer.pem"
    signer = NoteSigner.from_pem(settings.audit_origin, private.read_bytes())
    private.unlink()
    room = bootstrap.build_room(settings)
    assert not isinstance(room, WritingRoom)
    assert room.verifier.vkey() == signer.verifier.vkey()
    with pytest.raises(FileNotFoundError):
        bootstrap.build_writing_room(settings)


def test_a_worker_does_not_start_with_the_public_key_of_another(database, tmp_path, mongo_uri):
    """What it would sign, nobody who reads could believe."""
    settings = settings_for(database, tmp_path, mongo_uri)
    (tmp_path / "audit.signer.pub.pem").write_bytes((tmp_path / "issuer.pub.pem").read_bytes())
    with pytest.raises(NoteRefused):
        bootstrap.build_writing_room(settings)
