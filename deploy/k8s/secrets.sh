#!/usr/bin/env bash
# Makes every key, certificate and password once, in FOLDER, and the Secrets of the cluster from them:
#   deploy/k8s/secrets.sh FOLDER [kubectl arguments]
# Run again after `kindred certs renew` or a new wrapping key; what is in FOLDER already is kept. FOLDER is the only copy
# of the master keys outside of the cluster: put it where your other master keys are, and back it up.
set -euo pipefail
folder="${1:?the folder for keys and passwords}"
shift
namespace=kindred
mongo="mongodb://kindred-0.kindred-svc:27017,kindred-1.kindred-svc:27017,kindred-2.kindred-svc:27017/?replicaSet=kindred&authSource=admin&tls=true&tlsCAFile=/trust/ca.crt"
amqp="amqps://rabbitmq:5671/kindred?cacertfile=/trust/ca.crt"

umask 077
python -m cli.local.provision "$folder" "$mongo" "$amqp"

# secret NAME FOLDER: one entry for each file of the folder.
secret() {
  kubectl create secret generic "$1" --namespace "$namespace" --from-file="$2" --dry-run=client -o yaml |
    kubectl apply "${@:3}" -f -
}

for one in intake matching notifications audit signer witness; do
  secret "keys-$one" "$folder/keys-$one" "$@"
done
for one in intake-api intake-worker intake-mllp matching-api matching-worker notifications-api notifications-worker \
  audit-api audit-worker; do
  secret "access-$one" "$folder/access-$one" "$@"
done
secret broker "$folder/broker" "$@"
secret passwords "$folder/issuer/access/passwords" "$@"

# What cert-manager made: who trusts it holds the certificate alone.
authority="$(mktemp -d)"
trap 'rm -rf "$authority"' EXIT
kubectl get secret tls-authority --namespace "$namespace" -o 'jsonpath={.data.ca\.crt}' | base64 -d > "$authority/ca.crt"
kubectl create configmap trust --namespace "$namespace" --from-file="$authority/ca.crt" --dry-run=client -o yaml |
  kubectl apply "$@" -f -

# KEDA asks as the worker, from outside of this namespace's processes.
for one in intake matching notifications audit; do
  length="$authority/$one"
  mkdir "$length"
  sed -e 's/?cacertfile=.*//' -e 's/@rabbitmq:/@rabbitmq.kindred.svc:/' "$folder/access-$one-worker/amqp.uri" |
    tr -d '\n' > "$length/host"
  printf enable > "$length/tls"
  cp "$authority/ca.crt" "$length/ca"
  secret "length-$one" "$length" "$@"
done
