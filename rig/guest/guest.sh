#!/bin/bash
# Brings up what a machine with Bluetooth has, except its adapter, and then does as the host says.
exec >/job/guest.log 2>&1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
. /job/guest/settings
hostname antiphon-rig
ip link set lo up
ip address add "$ADDRESS/24" dev vec0
ip link set vec0 up
# What is read from the host's files stops all of the guest until the disk has it: the program is in memory.
cp /job/antiphon /run/antiphon
mkdir -p /run/dbus
dbus-daemon --system --fork
stdbuf -oL btvirt -s >/job/btvirt.log 2>&1 &
until [ -S /tmp/bt-server-bredrle ]; do sleep 0.1; done
# Every connection is one more controller.
socat "TCP-LISTEN:$CONTROLLERS,fork,reuseaddr,nodelay" UNIX-CONNECT:/tmp/bt-server-bredrle &
# A hub is controlled from its own machine only: the host, where the microphone is, comes in through this door.
socat "TCP-LISTEN:$CONTROL,fork,reuseaddr,nodelay" "TCP:127.0.0.1:$HUB,nodelay" &
exec python3 /job/guest/agent.py "$AGENT"
