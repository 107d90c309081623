"""The lab's own parts, before it judges anything: run by rig.sh, in seconds."""
