"""virsh: the administrators' command, with libvirt 9.0's grammar and output."""
