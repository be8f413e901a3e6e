"""AWS KMS's own API as moto serves it over TLS, with its check of signatures and policies switched on."""

from __future__ import annotations

import json
import secrets
import subprocess
from pathlib import Path
from typing import Any

from tests.providers import running
from tests.providers.gate import Gate

REGION = "us-east-1"
# Run beside moto: a user who may use KMS and nothing else, another who may do nothing, and two keys.
_SET_UP = f"""
import boto3, json, sys, urllib.request, ssl
url, authority = sys.argv[1:]
def of(service):
    return boto3.client(service, region_name="{REGION}", endpoint_url=url, verify=authority,
        aws_access_key_id="set-up", aws_secret_access_key="set-up")
iam, kms, made = of("iam"), of("kms"), {{}}
for name, may in (("kindred-intake", "Allow"), ("somebody", "Deny")):
    iam.create_user(UserName=name)
    said = {{"Version": "2012-10-17", "Statement": [{{"Effect": may, "Action": "kms:*", "Resource": "*"}}]}}
    iam.put_user_policy(UserName=name, PolicyName="keys", PolicyDocument=json.dumps(said))
    made[name] = iam.create_access_key(UserName=name)["AccessKey"]
keys = [kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2)]
asked = urllib.request.Request(url + "/moto-api/reset-auth", data=b"0", headers={{"Content-Type": "text/plain"}})
urllib.request.urlopen(asked, context=ssl.create_default_context(cafile=authority)).read()
users = {{n: {{"accessKeyId": k["AccessKeyId"], "secretAccessKey": k["SecretAccessKey"]}} for n, k in made.items()}}
print(json.dumps({{"users": users, "keys": keys}}))
"""


class AwsKms:
    """moto behind a gate; two keys of one account."""

    name = "aws"

    def __init__(self, keys: Path) -> None:
        certificate, self._authority = str(keys / "tls.intake.pem"), str(keys / "tls.ca.pem")
        port = running.a_port()
        told = ["-H", "127.0.0.1", "-p", str(port), "-c", certificate, "-k", certificate]
        self._process = running.started("moto_server", *told, port=port, log=keys / "moto.log")
        python = running.program("python")
        url = f"https://127.0.0.1:{port}"
        said = subprocess.run([python, "-c", _SET_UP, url, self._authority], capture_output=True, check=True)
        found = json.loads(said.stdout)
        self._users, self._keys = found["users"], found["keys"]
        self._gate = Gate(port)
        self.away, self.back = self._gate.away, self._gate.back

    def told(self, key: int = 0, user: str = "kindred-intake", **wrong: str) -> dict[str, Any]:
        """The provider's file for the first or the second master key; `wrong` replaces credentials."""
        return {
            "provider": self.name,
            "credentials": {**self._users[user], **wrong},
            "master_key": {"region": REGION, "key": self._keys[key], "endpoint": self._gate.address},
            "tls": {"tlsCAFile": self._authority},
        }

    def wrong_credentials(self) -> list[dict[str, Any]]:
        """Each is refused, for another reason."""
        another = self.told()
        another["master_key"]["key"] = f"{self._keys[0].rpartition('/')[0]}/no-such-key"
        return [
            self.told(secretAccessKey=secrets.token_urlsafe(30)),
            self.told(accessKeyId="AKIANOBODY0000000000"),
            self.told(user="somebody"),
            another,
        ]

    def stop(self) -> None:
        """moto has ended."""
        self._gate.away()
        running.ended(self._process)
