"""What has to hold when processes are killed, disks refuse, files are damaged and clients are slow."""
