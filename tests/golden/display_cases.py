"""Guests and settings of ``qemu.conf`` that decide where displays listen and who may look; recorded by record_displays.py."""

SECRET = "00000000-0000-0000-0000-000000000001"
PIECES = {
    "vnc": "<graphics type='vnc' autoport='yes'/>",
    "vnc-port": "<graphics type='vnc' port='5910' listen='0.0.0.0'/>",
    "vnc-socket": "<graphics type='vnc' socket='/tmp/x.sock'/>",
    "vnc-none": "<graphics type='vnc'><listen type='none'/></graphics>",
    "vnc-much": "<graphics type='vnc' port='5910' websocket='5799' passwd='abc' powerControl='yes' sharePolicy='ignore' keymap='de'/>",
    "vnc-own-socket": "<graphics type='vnc'><listen type='socket'/></graphics>",
    "vnc-six": "<graphics type='vnc' autoport='yes'><listen type='address' address='::1'/></graphics>",
    "spice": "<graphics type='spice' autoport='yes'/>",
    "spice-ports": "<graphics type='spice' port='5930' tlsPort='5931'/>",
    "spice-mixed": "<graphics type='spice' tlsPort='5931' defaultMode='secure'><channel name='main' mode='secure'/>"
    "<channel name='display' mode='insecure'/></graphics>",
    "spice-socket": "<graphics type='spice'><listen type='socket'/></graphics>",
    "spice-none": "<graphics type='spice'><listen type='none'/></graphics>",
    "spice-plain": "<graphics type='spice' autoport='yes' defaultMode='insecure'/>",
    "spice-secure": "<graphics type='spice' autoport='yes' defaultMode='secure'/>",
    "spice-secure-port": "<graphics type='spice' port='5930' defaultMode='secure'/>",
    "spice-tls-only": "<graphics type='spice' tlsPort='5931' defaultMode='secure'/>",
    "spice-channels": "<graphics type='spice' autoport='yes' defaultMode='secure'><channel name='main' mode='insecure'/></graphics>",
    "spice-password": "<graphics type='spice' autoport='yes' passwd='x'/>",
    "spice-port": "<graphics type='spice' port='5930' autoport='no'/>",
    "spice-old-auto": "<graphics type='spice' port='-1' tlsPort='-1'/>",
    "spice-old-tls": "<graphics type='spice' port='5930' tlsPort='-1'/>",
    "none": "<video><model type='vga'/></video>",
    "both": "<graphics type='vnc' autoport='yes'/><graphics type='spice' autoport='yes'/>",
    "serial": "<serial type='tcp'><source mode='bind' host='127.0.0.1' service='5555'/></serial>",
    "serial-calls": "<serial type='tcp'><source mode='connect' host='127.0.0.1' service='5555'/></serial>",
    "serial-tls": "<serial type='tcp'><source mode='bind' host='127.0.0.1' service='5555' tls='yes'/></serial>",
    "nbd": "<disk type='network'><driver name='qemu' type='raw'/><source protocol='nbd' name='e' tls='yes'><host name='h' port='1'/>"
    "</source><target dev='hda'/></disk>",
}
VNC_TLS = "vnc_tls = 1\n"
SETTINGS = {
    "plain": "",
    "listen": 'vnc_listen = "0.0.0.0"\nspice_listen = "::"\n',
    "sockets": "vnc_auto_unix_socket = 1\nspice_auto_unix_socket = 1\n",
    "vnc-tls": VNC_TLS,
    "vnc-folder": VNC_TLS + 'vnc_tls_x509_cert_dir = "/etc"\n',
    "vnc-verify": VNC_TLS + 'vnc_tls_x509_cert_dir = "/etc"\nvnc_tls_x509_verify = 1\n',
    "vnc-no-verify": VNC_TLS + "vnc_tls_x509_verify = 0\ndefault_tls_x509_verify = 1\n",
    "vnc-secret": VNC_TLS + f'vnc_tls_x509_secret_uuid = "{SECRET}"\n',
    "vnc-no-secret": VNC_TLS + 'vnc_tls_x509_secret_uuid = "00000000-0000-0000-0000-00000000000f"\n',
    "default-folder": VNC_TLS + 'spice_tls = 1\ndefault_tls_x509_cert_dir = "/usr"\ndefault_tls_x509_verify = 1\n',
    "default-no-verify": VNC_TLS + "chardev_tls = 1\ndefault_tls_x509_verify = 0\n",
    "default-secret": VNC_TLS + f'default_tls_x509_secret_uuid = "{SECRET}"\n',
    "passwords": 'vnc_password = "abc"\nspice_password = "xyz"\n',
    "empty-passwords": 'vnc_password = ""\nspice_password = ""\n',
    "sasl": "vnc_sasl = 1\nspice_sasl = 1\n",
    "sasl-folders": 'vnc_sasl = 1\nspice_sasl = 1\nvnc_sasl_dir = "/etc/sasl2"\nspice_sasl_dir = "/some/where"\n',
    "vnc-all": VNC_TLS + 'vnc_sasl = 1\nvnc_sasl_dir = "/etc/sasl2"\nvnc_tls_x509_verify = 1\nvnc_password = "abc"\n',
    "spice-tls": "spice_tls = 1\n",
    "spice-folder": 'spice_tls = 1\nspice_tls_x509_cert_dir = "/etc"\n',
    "ports": "remote_display_port_min = 6000\nremote_display_port_max = 6010\n",
    "chardev": 'chardev_tls = 1\nchardev_tls_x509_cert_dir = "/etc"\nchardev_tls_x509_verify = 0\n',
    "chardev-secret": f'chardev_tls = 1\nchardev_tls_x509_secret_uuid = "{SECRET}"\n',
    "nbd": f'nbd_tls = 1\nnbd_tls_x509_cert_dir = "/etc"\nnbd_tls_x509_secret_uuid = "{SECRET}"\n',
}
REFUSED = {
    "default-folder": 'default_tls_x509_cert_dir = "/nosuch-pki"\n',
    "vnc-folder": VNC_TLS + 'vnc_tls_x509_cert_dir = "/nosuch-pki"\n',
    "vnc-folder-unused": 'vnc_tls_x509_cert_dir = "/nosuch-pki"\n',
    "spice-folder": 'spice_tls = 1\nspice_tls_x509_cert_dir = "/nosuch-pki"\n',
    "low-port": "remote_display_port_min = 5000\n",
    "high-port": "remote_display_port_max = 70000\n",
    "no-ports": "remote_display_port_min = 6000\nremote_display_port_max = 5950\n",
    "low-websocket": "remote_websocket_port_min = 5600\n",
    "high-websocket": "remote_websocket_port_max = 70000\n",
    "word": 'vnc_tls = "x"\n',
    "number": "vnc_tls_x509_secret_uuid = 5\n",
}
"""With these libvirt does not start."""


def document(piece: str) -> str:
    return f"""<domain type='qemu'><name>g</name><uuid>11111111-1111-1111-1111-111111111111</uuid><memory unit='MiB'>32</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><controller type='usb' model='none'/>{PIECES[piece]}</devices></domain>
"""
