"""Run with the peers: what libosinfo makes of the database's install scripts, as one line of JSON for each system named."""

import json
import sys

import gi  # type: ignore[import-not-found]  # of the peers

gi.require_version("Libosinfo", "1.0")
from gi.repository import Libosinfo  # type: ignore[import-not-found]  # noqa: E402  # of the peers

loader = Libosinfo.Loader()
loader.process_default_path()
systems = {one.get_short_id(): one for one in loader.get_db().get_os_list().get_elements()}
methods = Libosinfo.InstallScriptInjectionMethod
WORDS = {"user_login": "ann", "user_realname": "ann", "user_password": "annsecret", "admin_password": "topsecret", "hostname": "box",
         "target_disk": "/dev/vda", "hardware_arch": "x86_64", "l10n_timezone": "Europe/Berlin", "l10n_language": "de_DE",
         "l10n_keyboard": "de_DE", "installation_url": "http://mirror.example/tree", "reg_product_key": "AAAA-BBBB"}  # fmt: skip
for name in sys.argv[1:]:
    system = systems[name]
    rows = []
    for script in system.get_install_script_list().get_elements():
        config = Libosinfo.InstallConfig()
        for word, value in WORDS.items():
            getattr(config, f"set_{word}")(value)
        ways = script.get_injection_methods()
        way = "initrd" if ways & methods.INITRD else "cdrom" if ways & methods.CDROM else "floppy"
        script.set_preferred_injection_method(getattr(methods, way.upper()))
        script.set_installation_source(Libosinfo.InstallScriptInstallationSource.NETWORK)
        linux = system.get_family() == "linux"
        rows.append({"profile": script.get_profile(), "file": script.get_expected_filename(), "way": way,
                     "content": script.generate(system, config),
                     "cmdline": (script.generate_command_line(system, config) or "").split() if linux else []})  # fmt: skip
    print(json.dumps({"system": name, "scripts": rows}))
