"""The virtual Bluetooth lab: a guest with a real BlueZ, an air without radio, speakers that are programs."""
