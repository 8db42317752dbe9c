"""Command lines for the differential tests. ``{d}`` is a folder with images, ``{d}/base.xml`` a document for standard input."""

from __future__ import annotations

B = "virt-install --name same --virt-type qemu --print-xml "
N = B + "--osinfo generic --network none --graphics none --disk none --import --memory 256 "

INSTALL = [
    N,
    B + "--memory 512 --disk none --import --osinfo generic",
    *[B + f"--disk none --import --osinfo {name} --network default" for name in (
        "win10", "win11", "win2k19", "win7", "winxp", "debian11", "debian10", "ubuntu22.04", "ubuntu18.04", "fedora36", "rhel9.0", "rhel7.0",
        "rhel5.4", "centos-stream9", "opensuse15.4", "sles12", "freebsd13.1", "openbsd7.0", "netbsd9.0", "solaris11", "msdos6.22",
        "alpinelinux3.16", "archlinux", "linux2022", "linux2016", "cirros0.5.0", "macosx10.7", "haikur1alpha1", "mageia8", "slackware15.0")],
    *[B + f"--memory 300 --disk {{d}}/a.qcow2{words} --import --osinfo {name} --network none --graphics none" for name in ("linux2022", "generic")
      for words in ("", ",bus=scsi", ",bus=usb,removable=on", ",bus=sata,rotation_rate=7200", ",bus=ide", ",device=cdrom", ",device=lun",
                    ",device=floppy", ",format=raw", ",driver.type=raw,driver.name=qemu", ",perms=ro", ",perms=sh", ",readonly=on",
                    ",target.dev=vdq", ",boot.order=3", ",serial=abc,wwn=0123456789abcdef", ",cache=none,io=native,discard=ignore")],
    *[B + f"--memory 300 --disk {disk} --import --osinfo linux2022 --network none --graphics none" for disk in (
        "{d}/new.qcow2,size=2", "{d}/new.img,size=1.5,format=raw", "{d}/new.img,size=1,sparse=no", "path={d}/n.qcow2,size=1,backing_store={d}/a.qcow2",
        "source.protocol=rbd,source.name=pool/img,source.host.name=mon1,source.host.port=6789", "nbd://nbd.example:10809/export",
        "gluster://g1/vol/a.img", "iscsi://t1:3260/iqn.1992-01.com.example/1", "http://web.example/a.iso,device=cdrom",
        "gluster+unix:///vol/b.img", "https://web.example/a.iso?x=1,device=cdrom", "device=cdrom", "device=floppy",
        "source.file={d}/a.qcow2", "vol=images/a.qcow2", "type=block,source.dev=/dev/null", "/dev/null,cache=unsafe", "type=nvme,source.type=pci",
        "{d}/a.raw,snapshot=external", "{d}/a.raw,blockio.logical_block_size=4096,blockio.physical_block_size=4096")],
    B + "--memory 300 --disk {d}/a.qcow2 --disk {d}/a.raw,bus=sata --disk device=cdrom --disk device=floppy --import --osinfo linux2022",
    B + "--memory 300 --disk {d}/a.qcow2,boot.order=2 --network none --disk {d}/a.raw,boot.order=1 --import --osinfo linux2022",
    *[B + f"--memory 300 --disk none --import --osinfo {name} --graphics none --network {net}" for name in ("linux2022", "generic") for net in (
        "default", "user", "bridge=br7", "network=other", "network=other,model=e1000", "bridge=br7,mac=RANDOM", "type=direct,source=eth0,source.mode=bridge",
        "type=direct,source=eth0,source_mode=vepa,model=virtio", "type=ethernet,target.dev=tap3", "type=hostdev,source=eth0",
        "bridge:br3", "network:other", "user,model.type=virtio,driver.queues=4", "bridge=br7,virtualport_type=openvswitch",
        "network=other,filterref=clean-traffic", "user,link_state=no", "user,mtu.size=1400", "user,boot.order=1", "vhostuser,source.type=unix,"
        "source.path=/tmp/vhost.sock,source.mode=server")],
    *[B + f"--memory 300 --disk none --import --osinfo linux2022 --network none --graphics {words}" for words in (
        "spice", "vnc", "sdl", "none", "default", "vnc,listen=0.0.0.0", "vnc,listen=none", "vnc,listen=socket", "vnc,listen=localhost",
        "vnc,listen=any", "vnc,port=5999,password=x,keymap=de", "vnc,keymap=local", "spice,port=5900,tlsport=5901", "spice,gl=on,listen=none",
        "spice,image_compression=glz,streaming_mode=filter", "spice,clipboard_copypaste=no,mouse_mode=client,filetransfer_enable=off",
        "vnc,websocket=-1", "vnc,sharePolicy=force-shared", "spice,listens0.type=address,listens0.address=1.2.3.4", "egl-headless,gl.rendernode=/dev/dri/x",
        "vnc,listens0.type=network,listens0.network=default")],
    *[B + f"--memory 300 --disk none --import --osinfo linux2022 --network none --machine {m} {more}" for m in ("pc", "q35") for more in (
        "--graphics none", "--graphics spice", "--graphics vnc --video virtio", "--graphics vnc --boot uefi", "--controller usb2", "--controller usb3",
        "--controller usb,model=none", "--controller num_pcie_root_ports=3", "--controller scsi,model=lsilogic", "--sound ich6", "--sound none",
        "--console none", "--serial pty", "--serial none --graphics none", "--input none", "--tpm default --graphics none", "--rng none", "--memballoon none")],
    *[N + words for words in (
        "--vcpus 4", "--vcpus 4,maxvcpus=8", "--vcpus 2,sockets=2", "--vcpus sockets=2,cores=4,threads=2", "--vcpus 8,cores=2", "--vcpus 4,cpuset=0-1",
        "--vcpus 2,cpuset=auto", "--vcpus vcpu=4,vcpu.current=2", "--vcpus 2,placement=static", "--vcpus 4,vcpus.vcpu0.id=0,vcpus.vcpu0.enabled=yes,"
        "vcpus.vcpu0.hotpluggable=no,vcpus.vcpu1.id=1,vcpus.vcpu1.enabled=no", "--cpu host-passthrough", "--cpu host-model", "--cpu host", "--cpu none",
        "--cpu clear", "--cpu hv-default", "--cpu default", "--cpu host-model-only", "--cpu Nehalem", "--cpu Nehalem,+aes,-vmx", "--cpu qemu64,force=aes,force=avx,disable=vmx,"
        "optional=x2apic,require=ssse3,forbid=svm", "--cpu Penryn,secure=off", "--cpu host-passthrough,migratable=on,cache.mode=passthrough",
        "--cpu custom,model=kvm64", "--cpu mode=custom,model=kvm64,match=strict,vendor=Intel", "--cpu host-passthrough,topology.sockets=1,topology.cores=2,topology.threads=1 --vcpus 2",
        "--cpu numa.cell0.id=0,numa.cell0.cpus=0,numa.cell0.memory=131072,numa.cell1.id=1,numa.cell1.cpus=1,numa.cell1.memory=131072 --vcpus 2",
        "--cpu cell0.id=0,cell0.cpus='0,1',cell0.memory=1,cell0.distances.sibling0.id=0,cell0.distances.sibling0.value=10",
        "--boot hd", "--boot cdrom,hd,network,fd", "--boot network,menu=on,useserial=yes,rebootTimeout=5", "--boot uefi", "--boot firmware=efi,loader.secure=yes",
        "--boot firmware=efi,firmware.feature0.name=secure-boot,firmware.feature0.enabled=no", "--boot loader=/a.fd,loader_ro=yes,loader_type=pflash,nvram_template=/v.fd",
        "--boot kernel=/k,initrd=/i,kernel_args='console=ttyS0 quiet'", "--boot kernel=/k,extra_args=a=b", "--boot boot0.dev=hd,boot1.dev=network", "--boot machine=q35",
        "--boot arch=i686", "--boot emulator=/usr/bin/qemu-system-x86_64", "--boot smbios_mode=host", "--boot dtb=/d,acpi.table=/a.bin", "--boot init=/sbin/init,initargs='a b'",
        "--boot bootmenu.timeout=3000,bootmenu.enable=yes", "--features acpi=off", "--features apic=off,pae=on", "--features hyperv_relaxed=on,hyperv_vapic=on,hyperv_spinlocks=on,"
        "hyperv_spinlocks_retries=4096,hyperv_synic=on,hyperv_reset=off", "--features kvm_hidden=on,pmu=off,vmport=off,smm=on,vmcoreinfo=on,eoi=on", "--features ioapic.driver=qemu",
        "--clock offset=localtime", "--clock rtc_tickpolicy=merge", "--clock hpet_present=yes,kvmclock_present=no,platform_tickpolicy=x", "--clock timer0.name=tsc,timer0.frequency=3,timer0.mode=native",
        "--pm suspend_to_mem=on,suspend_to_disk=off", "--events on_crash=preserve,on_reboot=destroy,on_poweroff=restart,on_lockfailure=pause", "--resource /vms/a", "--resource partition=/b",
        "--metadata title=Foo,description='a, b and c',uuid=12345678-1234-1234-1234-123456789abc", "--metadata description=one,two=three", "--metadata genid=1e9a6d4c-1b0b-4b5e-8b7c-1f1f1f1f1f1f",
        "--metadata name=other", "--memorybacking hugepages=on,nosharepages=yes,locked=yes,access_mode=shared,source_type=memfd,discard=on,allocation.mode=immediate,size=1,unit=G,nodeset='0,1'",
        "--memtune hard_limit=1000,soft_limit=900,swap_hard_limit=1100,min_guarantee=100", "--memtune 500", "--blkiotune 200,device_path=/dev/sda,device_weight=300", "--blkiotune weight=100,device0.path=/dev/sdb,"
        "device0.read_bytes_sec=1,device0.write_bytes_sec=2,device0.read_iops_sec=3,device0.write_iops_sec=4", "--numatune 0-1", "--numatune '1,2',mode=preferred", "--numatune memory.placement=auto,"
        "memnode0.cellid=0,memnode0.mode=strict,memnode0.nodeset=0", "--cputune shares=100,period=1000,quota=-1,global_period=5,global_quota=6,emulator_period=2,emulator_quota=3,iothread_period=4,iothread_quota=7",
        "--cputune vcpupin0.vcpu=0,vcpupin0.cpuset=0-1,emulatorpin.cpuset=1,iothreadpin0.iothread=1,iothreadpin0.cpuset=0,vcpusched0.vcpus=0,vcpusched0.scheduler=fifo,vcpusched0.priority=1",
        "--cputune cachetune0.vcpus=0-1,cachetune0.cache0.id=0,cachetune0.cache0.level=3,cachetune0.cache0.type=both,cachetune0.cache0.size=3,cachetune0.cache0.unit=MiB,memorytune0.vcpus=0,memorytune0.node0.id=0,memorytune0.node0.bandwidth=60",
        "--iothreads 2", "--iothreads iothreads=2,iothreadids.iothread0.id=1,iothreadids.iothread1.id=3", "--seclabel static,label=x", "--seclabel type=static,label=a:b:c:d,relabel=yes", "--security label=u:g,type=static",
        "--security type=dynamic,baselabel='a,b'", "--keywrap cipher0.name=aes,cipher0.state=on,cipher1.name=dea,cipher1.state=off", "--idmap uid_start=0,uid_target=1000,uid_count=10,gid_start=0,gid_target=1000,gid_count=10",
        "--sysinfo host", "--sysinfo emulate", "--sysinfo bios.vendor=Me,bios_version=1,bios.date=01/01/2020,bios.release=2,system.manufacturer=A,system_product=B,system.serial=C,system.sku=D,system.family=E,system.version=F",
        "--sysinfo baseBoard.manufacturer=A,baseBoard_product=B,baseBoard.version=C,baseBoard.serial=D,baseBoard.asset=E,baseBoard.location=F,chassis.manufacturer=G,chassis.asset=H",
        "--sysinfo system.uuid=12345678-1234-1234-1234-123456789abc", "--sysinfo type=fwcfg,entry0.name=opt/a,entry0='x, y'", "--sysinfo oemStrings.entry0=a,oemStrings.entry1=b",
        "--qemu-commandline '-display gtk,gl=on'", "--qemu-commandline env=A=B --qemu-commandline args=-foo", "--launchSecurity type=s390-pv", "--xml ./cpu/@mode=host-passthrough", "--xml xpath.delete=./clock",
        "--xml ./devices/console/@foo=bar --xml xpath.create=./hap", "--xml xpath.set=./vcpu,xpath.value=3", "--controller scsi,model=virtio-scsi,driver.queues=2,driver.iothread=1", "--controller pci,model=pcie-root",
        "--controller usb,model=ich9-ehci1,address=0:0:4.7,index=0", "--controller usb,model=ich9-uhci1,address=0:0:4.0,index=0,master=0", "--controller virtio-serial,ports=8,vectors=2",
        "--input tablet", "--input keyboard,bus=usb", "--input type=mouse,bus=virtio,model=virtio", "--input evdev,source.dev=/dev/input/event1,source.grab=all,source.repeat=on",
        "--serial pty", "--serial tcp,host=1.2.3.4:5,mode=connect", "--serial tcp,host=:5,mode=bind,protocol=telnet", "--serial udp,host=1.1.1.1:1,bind_host=2.2.2.2:2", "--serial file,path=/a.log", "--serial unix,path=/a.sock",
        "--serial dev,path=/dev/ttyS0", "--serial pty,log.file=/b.log,log.append=off,target.model.name=isa-serial", "--serial stdio", "--serial null", "--serial vc", "--serial pipe,path=/p", "--parallel unix,path=/b.sock",
        "--parallel none", "--console pty,target_type=virtio", "--console pty,target.type=sclp", "--channel spicevmc", "--channel unix,mode=bind,target_type=virtio,name=org.qemu.guest_agent.0",
        "--channel pty,target_type=guestfwd,target_address=127.0.0.1:10000", "--channel unix,target_type=virtio,name=a,path=/c.sock", "--channel qemu-vdagent,source.clipboard.copypaste=on,source.mouse.mode=client",
        "--channel spiceport,source.channel=org.spice-space.webdav.0,target_type=virtio,name=org.spice-space.webdav.0", "--filesystem /a,/b", "--filesystem /a,b,mode=passthrough,multidevs=remap,readonly=on",
        "--filesystem type=mount,source=/a,target=b,driver.type=virtiofs,driver.queue=1024,binary.path=/x,binary.xattr=on,binary.cache.mode=none,binary.lock.posix=on,binary.lock.flock=off,binary.sandbox.mode=chroot",
        "--filesystem type=ram,source.usage=100,source.units=MiB,target=/c", "--filesystem type=block,source=/dev/null,target=/d", "--filesystem template_name,/,type=template", "--filesystem type=file,source=/x.img,target=/e,driver.format=raw",
        "--sound", "--sound default", "--sound ac97,audio.id=1", "--sound hda,codec0.type=micro,codec1.type=duplex", "--audio id=1,type=spice", "--watchdog i6300esb", "--watchdog default", "--watchdog ib700,action=poweroff",
        "--video qxl", "--video qxl,vgamem=1,ram=2,vram=3,heads=4,vram64=5", "--video virtio,accel3d=on", "--video default", "--smartcard passthrough", "--smartcard host", "--smartcard passthrough,type=spicevmc",
        "--smartcard mode=host-certificates,database=/etc/pki", "--redirdev usb,type=spicevmc", "--redirdev default,server=4.3.2.1:1234", "--redirdev usb,type=tcp,server=:399", "--redirdev none", "--memballoon virtio", "--memballoon none",
        "--memballoon virtio,autodeflate=on,stats.period=10,freePageReporting=on", "--tpm /dev/tpm0", "--tpm passthrough,model=tpm-tis", "--tpm emulator,model=tpm-crb,version=2.0", "--tpm default", "--tpm none",
        "--tpm emulator,backend.persistent_state=on,backend.encryption.secret=abc", "--rng /dev/random", "--rng device=/dev/hwrng,type=random", "--rng builtin", "--rng egd,backend_host=1.2.3.4,backend_service=7,backend_mode=connect,backend_type=tcp",
        "--rng egd,backend_type=udp,backend.source.bind_host=a:1,backend_connect_host=b:2", "--rng /dev/urandom,rate_bytes=100,rate_period=1000,driver.iommu=on", "--panic default", "--panic isa", "--panic 0x505", "--panic model=isa,iobase=0x506",
        "--shmem a,role=peer,model.type=ivshmem-plain,size=8,size.unit=M", "--shmem name=b,model.type=ivshmem-doorbell,server.path=/s,msi.vectors=2,msi.ioeventfd=off", "--memdev dimm,target_size=64,target_node=0",
        "--memdev nvdimm,source_path=/p,target_size=64,target_label_size=1,access=shared,source.pmem=yes,target.readonly=yes,source.alignsize=2", "--memdev virtio-mem,target.block=2048,target.requested=0,target.size=10,source.pagesize=4,source.nodemask='0,1'",
        "--vsock cid=7", "--vsock auto_cid=on", "--vsock default", "--vsock none", "--iommu intel,driver.aw_bits=48,driver.caching_mode=on,driver.eim=on,driver.intremap=on,driver.iotlb=off", "--hostdev type=misc,name=/dev/net/tun",
        "--hostdev type=storage,name=/dev/sdz", "--hostdev type=net,name=eth7", "--memory 256,maxmemory=512", "--memory memory=300,currentMemory=200", "--memory 256,hotplugmemorymax=1024,hotplugmemoryslots=2", "--memory 256,hugepages=on",
        "--memory 256,maxMemory=2048,maxMemory.slots=4", "--arch i686", "--machine pc-q35-7.0", "--hvm", "--noacpi", "--noapic", "--cpuset 0", "--accelerate", "--autostart", "--uuid 12345678-1234-1234-1234-123456789abc",
        "--description 'old words'", "--init /sbin/init", "--disk clearxml=no,path={d}/a.raw", "--network user --check mac_in_use=off")],
    *[B + words for words in (
        "-r 300 --nodisks --import --nonetworks --vnc --vncport 5910 --vnclisten 0.0.0.0 -k de --osinfo generic", "--ram 300 -f {d}/a.raw --import -m 52:54:00:00:11:22 --nographics --osinfo generic",
        "--memory 300 -f {d}/n.img -s 2 --nonsparse --import -b br9 --sdl --osinfo generic", "--memory 300 --disk {d}/a.qcow2 --pxe --network network=other --osinfo generic", "--memory 300 --disk none --pxe --network bridge=br3 --osinfo generic",
        "--memory 300 --disk {d}/a.qcow2 --cdrom {d}/a.iso --osinfo generic --network none", "--memory 300 --disk none --cdrom {d}/a.iso --osinfo generic --network none --livecd", "--memory 300 --disk none --cdrom {d}/a.iso --osinfo win10 --network none",
        "--memory 300 --disk {d}/a.qcow2 --install bootdev=network --osinfo linux2022 --network none", "--memory 300 --disk {d}/a.qcow2 --install bootdev=cdrom,no_install=yes --osinfo linux2022 --network none --disk device=cdrom",
        "--memory 300 --disk none --import --osinfo detect=on,name=linux2022 --network none", "--memory 300 --disk none --import --osinfo short-id=win10 --network none", "--memory 300 --disk none --import --osinfo id=http://debian.org/debian/11 --network none",
        "--memory 300 --disk none --import --osinfo none --network none", "--memory 300 --disk {d}/a.qcow2 --boot hd --osinfo linux2022 --network none", "--memory 300 --disk {d}/a.qcow2 --cdrom {d}/a.iso --osinfo linux2022 --network none --print-xml 1",
        "--memory 300 --disk {d}/a.qcow2 --cdrom {d}/a.iso --osinfo linux2022 --network none --print-xml 2", "--memory 300 --disk none --import --osinfo linux2022 --network none --arch aarch64 --machine virt",
        "--memory 300 --disk {d}/a.raw --disk {d}/a.iso,device=cdrom --import --osinfo linux2022 --network default --arch aarch64")],
]  # fmt: skip

XML = [f"virt-xml --print-xml {words}" for words in (
    "--edit --cpu host-passthrough", "--edit --cpu host-model,clearxml=yes", "--edit --cpu clearxml=yes", "--edit --cpu Nehalem,+aes", "--edit --vcpus 7", "--edit --vcpus 4,maxvcpus=9", "--edit --memory 500,maxmemory=1000",
    "--edit --memory 64", "--edit --metadata title=new,description=words", "--edit --metadata name=renamed", "--edit --boot hd,network,menu=on", "--edit --boot kernel=/k,cmdline=x", "--edit --boot refresh-machine-type=yes",
    "--edit --boot firmware=efi", "--edit --events on_crash=destroy", "--edit --features acpi=off,hyperv_relaxed=on", "--edit --features pae=", "--edit --clock offset=localtime,hpet_present=yes", "--edit --clock clearxml=yes,offset=utc",
    "--edit --pm suspend_to_mem=yes", "--edit --memorybacking hugepages=on", "--edit --memtune hard_limit=5", "--edit --blkiotune weight=100", "--edit --numatune 0", "--edit --cputune shares=5", "--edit --iothreads 3",
    "--edit --resource /x", "--edit --seclabel label=a:b,type=static", "--edit --idmap uid_start=0", "--edit --sysinfo bios.vendor=X", "--edit --qemu-commandline=-foo", "--edit --launchSecurity type=s390-pv", "--edit --keywrap cipher0.name=aes",
    "--edit --disk cache=none", "--edit 2 --disk cache=none", "--edit -1 --disk cache=none", "--edit all --disk cache=none", "--edit target=sda --disk cache=none", "--edit target.dev=vda,bus=virtio --disk discard=unmap",
    "--edit path={d}/a.qcow2 --disk readonly=on", "--edit --disk cache=", "--edit --disk path={d}/a.raw", "--edit --disk path=", "--edit device=cdrom --disk path={d}/a.iso", "--edit --disk serial=abc,boot.order=1", "--edit --disk clearxml=yes,path={d}/a.raw",
    "--edit --network model=e1000", "--edit mac=52:54:00:aa:bb:02 --network link_state=down", "--edit all --network model=rtl8139", "--edit --network type=bridge,source=br9", "--edit --network source=other", "--edit --network mtu.size=1400",
    "--edit --network mac=52:54:00:99:99:99", "--edit --graphics listen=0.0.0.0,password=x", "--edit --graphics type=vnc,port=5901", "--edit --graphics listen=none", "--edit --graphics clearxml=yes,type=vnc", "--edit --video model=virtio",
    "--edit --video vram=5", "--edit --controller model=qemu-xhci", "--edit 2 --controller index=4", "--edit type=usb --controller model=none", "--edit --input bus=virtio", "--edit --serial path=/a", "--edit --serial type=tcp,host=1.2.3.4:5",
    "--edit --console target.type=virtio", "--edit --channel target.name=x", "--edit --sound model=ac97", "--edit --watchdog action=none", "--edit --rng rate_bytes=5", "--edit --memballoon stats.period=5", "--edit --memballoon none",
    "--edit --xml ./devices/disk[2]/serial=abc", "--edit --xml xpath.delete=./devices/disk", "--edit --xml ./vcpu=8", "--edit --disk xpath1.set=./@foo=bar,xpath2.create=./new,xpath3.delete=./source",
    "--add-device --disk {d}/a.raw", "--add-device --disk {d}/fresh.qcow2,size=1", "--add-device --disk {d}/a.raw,bus=scsi", "--add-device --disk device=cdrom", "--add-device --network user", "--add-device --network bridge=b,mac=52:54:00:11:22:33",
    "--add-device --graphics vnc", "--add-device --controller scsi", "--add-device --controller usb3", "--add-device --input tablet", "--add-device --serial pty", "--add-device --channel unix,target.type=virtio,name=x", "--add-device --console pty",
    "--add-device --sound default", "--add-device --watchdog default", "--add-device --video qxl", "--add-device --redirdev usb", "--add-device --tpm default", "--add-device --rng /dev/random", "--add-device --panic default", "--add-device --shmem name=a",
    "--add-device --memdev dimm,target_size=1", "--add-device --vsock cid=5", "--add-device --iommu model=intel", "--add-device --filesystem /a,/b", "--add-device --smartcard host", "--add-device --parallel pty", "--add-device --hostdev type=misc,name=/dev/x",
    "--add-device --memballoon virtio", "--add-device --audio id=9,type=none", "--remove-device --disk 1", "--remove-device --disk all", "--remove-device --disk target=sda", "--remove-device --disk {d}/a.qcow2", "--remove-device --disk -1",
    "--remove-device --network 1", "--remove-device --network mac=52:54:00:aa:bb:02", "--remove-device --graphics 1", "--remove-device --serial 1", "--remove-device --sound all", "--remove-device --controller type=usb", "--remove-device --video 1",
    "--remove-device --channel 1", "--remove-device --input all", "--remove-device --rng 1", "--remove-device --memballoon 1", "--add-device --disk {d}/a.raw --osinfo win10", "--add-device --network user --os-variant linux2022")]  # fmt: skip

CLONE = [f"virt-clone --print-xml --original-xml {{d}}/base.xml {words}" for words in (
    "--auto-clone", "--auto-clone --name other", "-n other -f {d}/x.qcow2 -f {d}/y.img", "-n other --file {d}/x.qcow2 --skip-copy sda --skip-copy sdb", "--auto-clone --skip-copy vda", "--auto-clone --mac 52:54:00:01:01:01 --mac 52:54:00:01:01:02",
    "--auto-clone --nonsparse", "-n other --preserve-data --file {d}/a.raw --file {d}/b.raw", "--auto-clone --replace", "--auto-clone --nvram {d}/n.fd", "--auto-clone --uuid 12345678-1234-1234-1234-123456789abc", "--auto-clone --check all=off",
    "--auto-clone --check path_exists=off", "--auto-clone -q", "--auto-clone --mac RANDOM")]  # fmt: skip

WRONG = [
    "virt-install --name same", N + "--disk bad=1", N + "--disk /nonexist/x", N + "--disk {d}/none.img", N + "--disk size=x", N + "--network foo=bar", N + "--graphics foo=bar", N + "--cpu foo.bar=1", N + "--vcpus a", N + "--vcpus 3,sockets=2",
    N + "--memory", N + "--memory x", N + "--boot foo=1", N + "--features acpi=maybe", N + "--clock foo_bar=1", N + "--check foo=off", N + "--check all", N + "--print-xml 7", N + "--controller usb,index=x", N + "--rng a=b", N + "--tpm x=y", N + "--install foo=1",
    N + "--cloud-init foo=1", N + "--unattended foo=1", N + "--xml novalue", N + "--extra-args x", N + "--initrd-inject x", N + "--hostdev nothing", N + "--disk vol=a", N + "--disk vol=nopool/x", N + "--disk pool=nopool,size=1", N + "--metadata os_name=nope",
    N + "--disk {d}/a.raw,perms=zz", N + "--disk {d}/a.raw,sparse=zz", N + "--disk {d}/a.raw --nodisks", N + "-f {d}/a.raw", N + "--vnc --graphics none", N + "--osinfo require=on,detect=on", N + "--virt-type nope", N + "--arch nope", N + "--machine nope",
    N + "--seclabel foo", N + "--sysinfo foo.bar=1", N + "--network user,model", N + "--disk \"path='x\"", N + "--location /nonexist", N + "--cdrom /nonexist.iso", N + "--hvm --paravirt", "virt-install --nosuch",
    "virt-xml", "virt-xml --edit", "virt-xml --edit --add-device --disk x", "virt-xml --edit --disk x --network y", "virt-xml --edit 0 --disk x=y", "virt-xml --edit 99 --disk cache=none", "virt-xml --edit target=zzz --disk cache=none",
    "virt-xml --edit foo=bar --disk cache=none", "virt-xml --edit 2 --vcpus 3", "virt-xml --add-device --cpu host", "virt-xml --remove-device --vcpus 1", "virt-xml --add-device --xml ./a=b", "virt-xml --edit --disk bad=1", "virt-xml --edit --disk cache",
    "virt-xml --build-xml --memory 3", "virt-xml --edit --cpu host --osinfo linux2022", "virt-xml --edit --watchdog clearxml=yes --update", "virt-xml --nosuch", "virt-xml --edit --smartcard mode=x", "virt-xml nosuchdomain --edit --cpu host",
    "virt-clone", "virt-clone --auto-clone", "virt-clone --original nosuch --auto-clone", "virt-clone --original-xml {d}/base.xml", "virt-clone --original-xml {d}/base.xml --file {d}/x", "virt-clone --original-xml {d}/base.xml --auto-clone --mac bad",
    "virt-clone --original-xml {d}/base.xml -n same --preserve-data --file {d}/nope", "virt-clone --original-xml {d}/base.xml -n same --file {d}/a.raw", "virt-clone --nosuch", "virt-clone --original-xml {d}/base.xml --auto-clone --check bad=1",
]  # fmt: skip
