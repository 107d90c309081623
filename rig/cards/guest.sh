#!/bin/bash
# The guest's first process after its files are there: two loopback cards, and whatever plays on them.
exec >/job/guest.log 2>&1
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
. /job/settings
ip link set lo up
# What is read from the host's files stops all of the guest until the disk has it: the program is in memory.
cp /job/antiphon /run/antiphon
cat /proc/asound/cards
/usr/bin/python3 /job/guest/inside.py "$SECONDS_EACH" $SCENES
echo "exit code $?"
sync
exec /usr/bin/python3 -c 'import ctypes; ctypes.CDLL(None).reboot(0x4321FEDC)'
