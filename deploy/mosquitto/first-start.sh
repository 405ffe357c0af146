#!/bin/sh
# Make the passwords at the first start, and leave them alone ever after. Runs as root in the broker's image, once a start.
# To change one: delete its file and `passwd` in the volume, and start again.
#
#   /auth/passwd               hashes, for the broker
#   /auth/undertow.password    for the service
#   /auth/reader.password      for subscribers, and for the broker's health check
#   /auth/grafana.password     of Grafana's admin
set -eu
umask 077
auth=${AUTH:-/auth}
mkdir -p "$auth"
chmod 755 "$auth"

random() { head -c 24 /dev/urandom | base64 | tr -d '\n' | tr '+/' '-_'; }

for user in undertow reader grafana; do
  [ -s "$auth/$user.password" ] || { random > "$auth/.new"; mv "$auth/.new" "$auth/$user.password"; }
done

# Hashed from a file: an argument would show in the process list.
if [ ! -s "$auth/passwd" ]; then
  for user in undertow reader; do printf '%s:%s\n' "$user" "$(cat "$auth/$user.password")"; done > "$auth/.new"
  mosquitto_passwd -U "$auth/.new"
  mv "$auth/.new" "$auth/passwd"
fi

# Each file for the one who reads it: the broker (1883), the service (10001), Grafana (472).
chown "${MOSQUITTO_UID:-1883}" "$auth/passwd" "$auth/reader.password"
chown "${UNDERTOW_UID:-10001}" "$auth/undertow.password"
chown "${GRAFANA_UID:-472}" "$auth/grafana.password"
chmod 400 "$auth"/*.password
chmod 600 "$auth/passwd"
