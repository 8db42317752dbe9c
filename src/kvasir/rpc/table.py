"""The programs of libvirt's wire as one table: every procedure, message and struct is a row. Numbers and layouts only.

``prog NAME NUMBER`` opens a program; the rows below belong to it.
``struct NAME FIELD:TYPE ...`` is a record that other rows name as a type.
``NUMBER[H][R|W] NAME ARG:TYPE ... -> RESULT:TYPE ... @OBJECT:PERMISSION,... %FILTER`` is a procedure:
H = high priority (never waits for a monitor), R = the call opens a stream that the client reads, W = that it writes.
``! NUMBER NAME FIELD:TYPE ...`` is a message (event) of the server.

Types: i u l L d = int32 uint32 int64 uint64 double; s string; c char, uc unsigned char, h short (4 bytes each on the wire);
U uuid (16 raw bytes); o[] opaque bytes; P typed parameter; T? optional; T[] counted array; T[n] vector of n.
The one name that Python reserves is written ``from_``.
"""

ROWS = """\
prog remote 0x20008086
struct D name:s uuid:U id:i
struct N name:s uuid:U
struct NP net:N uuid:U
struct NF name:s uuid:U
struct NB portdev:s filtername:s
struct IF name:s mac:s
struct SP name:s uuid:U
struct SV pool:s name:s key:s
struct ND name:s
struct SE uuid:U usageType:i usageID:s
struct CK name:s dom:D
struct SN name:s dom:D
struct remote_error code:i domain:i message:s? level:i dom:D? str1:s? str2:s? str3:s? int1:i int2:i net:N?
struct remote_vcpu_info number:u state:i cpu_time:L cpu:i
struct remote_node_get_cpu_stats field:s value:L
struct remote_node_get_memory_stats field:s value:L
struct remote_domain_disk_error disk:s error:i
struct remote_domain_memory_stat tag:i val:L
struct remote_domain_iothread_info iothread_id:u cpumap:o[]
struct remote_domain_get_security_label_ret label:c[] enforcing:i
struct remote_domain_event_lifecycle_msg dom:D event:i detail:i
struct remote_domain_event_callback_lifecycle_msg callbackID:i msg:remote_domain_event_lifecycle_msg
struct remote_domain_event_reboot_msg dom:D
struct remote_domain_event_callback_reboot_msg callbackID:i msg:remote_domain_event_reboot_msg
struct remote_domain_event_rtc_change_msg dom:D offset:l
struct remote_domain_event_callback_rtc_change_msg callbackID:i msg:remote_domain_event_rtc_change_msg
struct remote_domain_event_watchdog_msg dom:D action:i
struct remote_domain_event_callback_watchdog_msg callbackID:i msg:remote_domain_event_watchdog_msg
struct remote_domain_event_io_error_msg dom:D srcPath:s devAlias:s action:i
struct remote_domain_event_callback_io_error_msg callbackID:i msg:remote_domain_event_io_error_msg
struct remote_domain_event_io_error_reason_msg dom:D srcPath:s devAlias:s action:i reason:s
struct remote_domain_event_callback_io_error_reason_msg callbackID:i msg:remote_domain_event_io_error_reason_msg
struct remote_domain_event_graphics_address family:i node:s service:s
struct remote_domain_event_graphics_identity type:s name:s
struct remote_domain_event_graphics_msg dom:D phase:i local:remote_domain_event_graphics_address remote:remote_domain_event_graphics_address authScheme:s subject:remote_domain_event_graphics_identity[]
struct remote_domain_event_callback_graphics_msg callbackID:i msg:remote_domain_event_graphics_msg
struct remote_domain_event_block_job_msg dom:D path:s type:i status:i
struct remote_domain_event_callback_block_job_msg callbackID:i msg:remote_domain_event_block_job_msg
struct remote_domain_event_disk_change_msg dom:D oldSrcPath:s? newSrcPath:s? devAlias:s reason:i
struct remote_domain_event_callback_disk_change_msg callbackID:i msg:remote_domain_event_disk_change_msg
struct remote_domain_event_tray_change_msg dom:D devAlias:s reason:i
struct remote_domain_event_callback_tray_change_msg callbackID:i msg:remote_domain_event_tray_change_msg
struct remote_domain_event_pmwakeup_msg dom:D
struct remote_domain_event_callback_pmwakeup_msg callbackID:i reason:i msg:remote_domain_event_pmwakeup_msg
struct remote_domain_event_pmsuspend_msg dom:D
struct remote_domain_event_callback_pmsuspend_msg callbackID:i reason:i msg:remote_domain_event_pmsuspend_msg
struct remote_domain_event_balloon_change_msg dom:D actual:L
struct remote_domain_event_callback_balloon_change_msg callbackID:i msg:remote_domain_event_balloon_change_msg
struct remote_domain_event_pmsuspend_disk_msg dom:D
struct remote_domain_event_callback_pmsuspend_disk_msg callbackID:i reason:i msg:remote_domain_event_pmsuspend_disk_msg
struct remote_domain_event_control_error_msg dom:D
struct remote_domain_event_callback_control_error_msg callbackID:i msg:remote_domain_event_control_error_msg
struct remote_domain_event_device_removed_msg dom:D devAlias:s
struct remote_domain_event_callback_device_removed_msg callbackID:i msg:remote_domain_event_device_removed_msg
struct remote_domain_event_block_job_2_msg callbackID:i dom:D dst:s type:i status:i
struct remote_domain_event_block_threshold_msg callbackID:i dom:D dev:s path:s? threshold:L excess:L
struct remote_domain_event_callback_tunable_msg callbackID:i dom:D params:P[]
struct remote_domain_event_callback_device_added_msg callbackID:i dom:D devAlias:s
struct remote_connect_event_connection_closed_msg reason:i
struct remote_network_event_lifecycle_msg callbackID:i net:N event:i detail:i
struct remote_storage_pool_event_lifecycle_msg callbackID:i pool:SP event:i detail:i
struct remote_storage_pool_event_refresh_msg callbackID:i pool:SP
struct remote_node_device_event_lifecycle_msg callbackID:i dev:ND event:i detail:i
struct remote_node_device_event_update_msg callbackID:i dev:ND
struct remote_network_dhcp_lease iface:s expirytime:l type:i mac:s? iaid:s? ipaddr:s prefix:u hostname:s? clientid:s?
struct remote_domain_stats_record dom:D params:P[]
struct remote_domain_event_callback_agent_lifecycle_msg callbackID:i dom:D state:i reason:i
struct remote_domain_fsinfo mountpoint:s name:s fstype:s dev_aliases:s[]
struct remote_domain_ip_addr type:i addr:s prefix:u
struct remote_domain_interface name:s hwaddr:s? addrs:remote_domain_ip_addr[]
struct remote_domain_event_callback_migration_iteration_msg callbackID:i dom:D iteration:i
struct remote_domain_event_callback_job_completed_msg callbackID:i dom:D params:P[]
struct remote_domain_event_callback_device_removal_failed_msg callbackID:i dom:D devAlias:s
struct remote_domain_event_callback_metadata_change_msg callbackID:i dom:D type:i nsuri:s?
struct remote_domain_event_memory_failure_msg callbackID:i dom:D recipient:i action:i flags:u
struct remote_secret_event_lifecycle_msg callbackID:i secret:SE event:i detail:i
struct remote_secret_event_value_changed_msg callbackID:i secret:SE
struct remote_domain_event_memory_device_size_change_msg callbackID:i dom:D alias:s size:L
1H connect_open name:s? flags:u -> @connect:getattr
2H connect_close ->
3H connect_get_type -> type:s @connect:getattr
4H connect_get_version -> hv_ver:L @connect:getattr
5H connect_get_max_vcpus type:s? -> max_vcpus:i @connect:read
6H node_get_info -> model:c[32] memory:L cpus:i mhz:i nodes:i sockets:i cores:i threads:i @connect:read
7 connect_get_capabilities -> capabilities:s @connect:read
8 domain_attach_device dom:D xml:s -> @domain:write
9 domain_create dom:D -> @domain:start
10 domain_create_xml xml_desc:s flags:u -> dom:D @domain:write,domain:start
11H domain_define_xml xml:s -> dom:D @domain:write,domain:save
12H domain_destroy dom:D -> @domain:stop
13 domain_detach_device dom:D xml:s -> @domain:write
14 domain_get_xml_desc dom:D flags:u -> xml:s @domain:read,domain:read_secure:VIR_DOMAIN_XML_SECURE,domain:read_secure:VIR_DOMAIN_XML_MIGRATABLE
15H domain_get_autostart dom:D -> autostart:i @domain:read
16 domain_get_info dom:D -> state:uc maxMem:L memory:L nrVirtCpu:h cpuTime:L @domain:read
17H domain_get_max_memory dom:D -> memory:L @domain:read
18H domain_get_max_vcpus dom:D -> num:i @domain:read
19H domain_get_os_type dom:D -> type:s @domain:read
20H domain_get_vcpus dom:D maxinfo:i maplen:i -> info:remote_vcpu_info[] cpumaps:o[] @domain:read
21H connect_list_defined_domains maxnames:i -> names:s[] @connect:search_domains %domain:getattr
22H domain_lookup_by_id id:i -> dom:D @domain:getattr
23H domain_lookup_by_name name:s -> dom:D @domain:getattr
24H domain_lookup_by_uuid uuid:U -> dom:D @domain:getattr
25H connect_num_of_defined_domains -> num:i @connect:search_domains %domain:getattr
26 domain_pin_vcpu dom:D vcpu:u cpumap:o[] -> @domain:write
27 domain_reboot dom:D flags:u -> @domain:init_control,domain:write:VIR_DOMAIN_REBOOT_GUEST_AGENT
28 domain_resume dom:D -> @domain:suspend
29H domain_set_autostart dom:D autostart:i -> @domain:write
30H domain_set_max_memory dom:D memory:L -> @domain:write
31 domain_set_memory dom:D memory:L -> @domain:write
32 domain_set_vcpus dom:D nvcpus:u -> @domain:write
33 domain_shutdown dom:D -> @domain:init_control
34 domain_suspend dom:D -> @domain:suspend
35H domain_undefine dom:D -> @domain:delete
36H connect_list_defined_networks maxnames:i -> names:s[] @connect:search_networks %network:getattr
37H connect_list_domains maxids:i -> ids:i[] @connect:search_domains %domain:getattr
38H connect_list_networks maxnames:i -> names:s[] @connect:search_networks %network:getattr
39 network_create net:N -> @network:start
40 network_create_xml xml:s -> net:N @network:write,network:start
41H network_define_xml xml:s -> net:N @network:write,network:save
42H network_destroy net:N -> @network:stop
43H network_get_xml_desc net:N flags:u -> xml:s @network:read
44H network_get_autostart net:N -> autostart:i @network:read
45H network_get_bridge_name net:N -> name:s @network:read
46H network_lookup_by_name name:s -> net:N @network:getattr
47H network_lookup_by_uuid uuid:U -> net:N @network:getattr
48H network_set_autostart net:N autostart:i -> @network:write
49H network_undefine net:N -> @network:delete
50H connect_num_of_defined_networks -> num:i @connect:search_networks %network:getattr
51H connect_num_of_domains -> num:i @connect:search_domains %domain:getattr
52H connect_num_of_networks -> num:i @connect:search_networks %network:getattr
53 domain_core_dump dom:D to:s flags:u -> @domain:core_dump
54 domain_restore from_:s -> @domain:start,domain:write
55 domain_save dom:D to:s -> @domain:hibernate
56 domain_get_scheduler_type dom:D -> type:s nparams:i @domain:read
57 domain_get_scheduler_parameters dom:D nparams:i -> params:P[] @domain:read
58 domain_set_scheduler_parameters dom:D params:P[] -> @domain:read
59H connect_get_hostname -> hostname:s @connect:getattr
60H connect_supports_feature feature:i -> supported:i @connect:getattr
61 domain_migrate_prepare uri_in:s? flags:L dname:s? resource:L -> cookie:o[] uri_out:s? @domain:migrate,domain:start,domain:write
62 domain_migrate_perform dom:D cookie:o[] uri:s flags:L dname:s? resource:L -> @domain:migrate
63 domain_migrate_finish dname:s cookie:o[] uri:s flags:L -> ddom:D @domain:migrate
64 domain_block_stats dom:D path:s -> rd_req:l rd_bytes:l wr_req:l wr_bytes:l errs:l @domain:read
65H domain_interface_stats dom:D device:s -> rx_bytes:l rx_packets:l rx_errs:l rx_drop:l tx_bytes:l tx_packets:l tx_errs:l tx_drop:l @domain:read
66H auth_list -> types:i[]
67H auth_sasl_init -> mechlist:s
68H auth_sasl_start mech:s nil:i data:c[] -> complete:i nil:i data:c[]
69H auth_sasl_step nil:i data:c[] -> complete:i nil:i data:c[]
70H auth_polkit -> complete:i
71H connect_num_of_storage_pools -> num:i @connect:search_storage_pools %storage_pool:getattr
72H connect_list_storage_pools maxnames:i -> names:s[] @connect:search_storage_pools %storage_pool:getattr
73H connect_num_of_defined_storage_pools -> num:i @connect:search_storage_pools %storage_pool:getattr
74H connect_list_defined_storage_pools maxnames:i -> names:s[] @connect:search_storage_pools %storage_pool:getattr
75 connect_find_storage_pool_sources type:s srcSpec:s? flags:u -> xml:s @connect:detect_storage_pools
76 storage_pool_create_xml xml:s flags:u -> pool:SP @storage_pool:start,storage_pool:write
77H storage_pool_define_xml xml:s flags:u -> pool:SP @storage_pool:write,storage_pool:save
78 storage_pool_create pool:SP flags:u -> @storage_pool:start
79 storage_pool_build pool:SP flags:u -> @storage_pool:format
80H storage_pool_destroy pool:SP -> @storage_pool:stop
81 storage_pool_delete pool:SP flags:u -> @storage_pool:format
82H storage_pool_undefine pool:SP -> @storage_pool:delete
83 storage_pool_refresh pool:SP flags:u -> @storage_pool:refresh
84H storage_pool_lookup_by_name name:s -> pool:SP @storage_pool:getattr
85H storage_pool_lookup_by_uuid uuid:U -> pool:SP @storage_pool:getattr
86H storage_pool_lookup_by_volume vol:SV -> pool:SP @storage_pool:getattr
87H storage_pool_get_info pool:SP -> state:uc capacity:L allocation:L available:L @storage_pool:read
88H storage_pool_get_xml_desc pool:SP flags:u -> xml:s @storage_pool:read
89H storage_pool_get_autostart pool:SP -> autostart:i @storage_pool:read
90H storage_pool_set_autostart pool:SP autostart:i -> @storage_pool:write
91H storage_pool_num_of_volumes pool:SP -> num:i @storage_pool:search_storage_vols %storage_vol:getattr
92H storage_pool_list_volumes pool:SP maxnames:i -> names:s[] @storage_pool:search_storage_vols %storage_vol:getattr
93 storage_vol_create_xml pool:SP xml:s flags:u -> vol:SV @storage_vol:create
94 storage_vol_delete vol:SV flags:u -> @storage_vol:delete
95H storage_vol_lookup_by_name pool:SP name:s -> vol:SV @storage_vol:getattr
96H storage_vol_lookup_by_key key:s -> vol:SV @storage_vol:getattr
97H storage_vol_lookup_by_path path:s -> vol:SV @storage_vol:getattr
98H storage_vol_get_info vol:SV -> type:c capacity:L allocation:L @storage_vol:read
99H storage_vol_get_xml_desc vol:SV flags:u -> xml:s @storage_vol:read
100H storage_vol_get_path vol:SV -> name:s @storage_vol:read
101H node_get_cells_free_memory startCell:i maxcells:i -> cells:L[] @connect:read
102H node_get_free_memory -> freeMem:L @connect:read
103 domain_block_peek dom:D path:s offset:L size:u flags:u -> buffer:o[] @domain:block_read
104 domain_memory_peek dom:D offset:L size:u flags:u -> buffer:o[] @domain:mem_read
105H connect_domain_event_register -> cb_registered:i @connect:search_domains %domain:getattr
106H connect_domain_event_deregister -> cb_registered:i @connect:read
! 107 domain_event_lifecycle dom:D event:i detail:i
108 domain_migrate_prepare2 uri_in:s? flags:L dname:s? resource:L dom_xml:s -> cookie:o[] uri_out:s? @domain:migrate,domain:start,domain:write
109 domain_migrate_finish2 dname:s cookie:o[] uri:s flags:L retcode:i -> ddom:D @domain:migrate
110H connect_get_uri -> uri:s @connect:getattr
111H node_num_of_devices cap:s? flags:u -> num:i @connect:search_node_devices %node_device:getattr
112H node_list_devices cap:s? maxnames:i flags:u -> names:s[] @connect:search_node_devices %node_device:getattr
113H node_device_lookup_by_name name:s -> dev:ND @node_device:getattr
114 node_device_get_xml_desc name:s flags:u -> xml:s @node_device:read
115H node_device_get_parent name:s -> parentName:s? @node_device:read
116H node_device_num_of_caps name:s -> num:i @node_device:read
117H node_device_list_caps name:s maxnames:i -> names:s[] @node_device:read
118 node_device_dettach name:s -> @node_device:detach
119 node_device_re_attach name:s -> @node_device:detach
120 node_device_reset name:s -> @node_device:detach
121H domain_get_security_label dom:D -> label:c[] enforcing:i @domain:read
122H node_get_security_model -> model:c[] doi:c[] @connect:read
123 node_device_create_xml xml_desc:s flags:u -> dev:ND @node_device:write,node_device:start
124H node_device_destroy name:s -> @node_device:stop
125 storage_vol_create_xml_from pool:SP xml:s clonevol:SV flags:u -> vol:SV @storage_vol:create
126H connect_num_of_interfaces -> num:i @connect:search_interfaces %interface:getattr
127H connect_list_interfaces maxnames:i -> names:s[] @connect:search_interfaces %interface:getattr
128H interface_lookup_by_name name:s -> iface:IF @interface:getattr
129H interface_lookup_by_mac_string mac:s -> iface:IF @interface:getattr
130 interface_get_xml_desc iface:IF flags:u -> xml:s @interface:read
131H interface_define_xml xml:s flags:u -> iface:IF @interface:write,interface:save
132H interface_undefine iface:IF -> @interface:delete
133 interface_create iface:IF flags:u -> @interface:start
134H interface_destroy iface:IF flags:u -> @interface:stop
135 connect_domain_xml_from_native nativeFormat:s nativeConfig:s flags:u -> domainXml:s @connect:write
136 connect_domain_xml_to_native nativeFormat:s domainXml:s flags:u -> nativeConfig:s @connect:write
137H connect_num_of_defined_interfaces -> num:i @connect:search_interfaces %interface:getattr
138H connect_list_defined_interfaces maxnames:i -> names:s[] @connect:search_interfaces %interface:getattr
139H connect_num_of_secrets -> num:i @connect:search_secrets %secret:getattr
140H connect_list_secrets maxuuids:i -> uuids:s[] @connect:search_secrets %secret:getattr
141H secret_lookup_by_uuid uuid:U -> secret:SE @secret:getattr
142H secret_define_xml xml:s flags:u -> secret:SE @secret:write,secret:save
143H secret_get_xml_desc secret:SE flags:u -> xml:s @secret:read
144H secret_set_value secret:SE value:o[] flags:u -> @secret:write
145H secret_get_value secret:SE flags:u -> value:o[] @secret:read_secure
146H secret_undefine secret:SE -> @secret:delete
147H secret_lookup_by_usage usageType:i usageID:s -> secret:SE @secret:getattr
148W domain_migrate_prepare_tunnel flags:L dname:s? resource:L dom_xml:s -> @domain:migrate,domain:start,domain:write
149H connect_is_secure -> secure:i
150H domain_is_active dom:D -> active:i @domain:read
151H domain_is_persistent dom:D -> persistent:i @domain:read
152H network_is_active net:N -> active:i @network:read
153H network_is_persistent net:N -> persistent:i @network:read
154H storage_pool_is_active pool:SP -> active:i @storage_pool:read
155H storage_pool_is_persistent pool:SP -> persistent:i @storage_pool:read
156H interface_is_active iface:IF -> active:i @interface:read
157H connect_get_lib_version -> lib_ver:L @connect:getattr
158H connect_compare_cpu xml:s flags:u -> result:i @connect:read
159 domain_memory_stats dom:D maxStats:u flags:u -> stats:remote_domain_memory_stat[] @domain:read
160 domain_attach_device_flags dom:D xml:s flags:u -> @domain:write,domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE,domain:save:VIR_DOMAIN_AFFECT_CONFIG
161 domain_detach_device_flags dom:D xml:s flags:u -> @domain:write,domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE,domain:save:VIR_DOMAIN_AFFECT_CONFIG
162 connect_baseline_cpu xmlCPUs:s[] flags:u -> cpu:s @connect:read
163 domain_get_job_info dom:D -> type:i timeElapsed:L timeRemaining:L dataTotal:L dataProcessed:L dataRemaining:L memTotal:L memProcessed:L memRemaining:L fileTotal:L fileProcessed:L fileRemaining:L @domain:read
164 domain_abort_job dom:D -> @domain:write
165 storage_vol_wipe vol:SV flags:u -> @storage_vol:format
166 domain_migrate_set_max_downtime dom:D downtime:L flags:u -> @domain:migrate
167H connect_domain_event_register_any eventID:i -> @connect:search_domains %domain:getattr
168H connect_domain_event_deregister_any eventID:i -> @connect:read
! 169 domain_event_reboot dom:D
! 170 domain_event_rtc_change dom:D offset:l
! 171 domain_event_watchdog dom:D action:i
! 172 domain_event_io_error dom:D srcPath:s devAlias:s action:i
! 173 domain_event_graphics dom:D phase:i local:remote_domain_event_graphics_address remote:remote_domain_event_graphics_address authScheme:s subject:remote_domain_event_graphics_identity[]
174 domain_update_device_flags dom:D xml:s flags:u -> @domain:write,domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE,domain:save:VIR_DOMAIN_AFFECT_CONFIG
175H nwfilter_lookup_by_name name:s -> nwfilter:NF @nwfilter:getattr
176H nwfilter_lookup_by_uuid uuid:U -> nwfilter:NF @nwfilter:getattr
177H nwfilter_get_xml_desc nwfilter:NF flags:u -> xml:s @nwfilter:read
178H connect_num_of_nwfilters -> num:i @connect:search_nwfilters %nwfilter:getattr
179H connect_list_nwfilters maxnames:i -> names:s[] @connect:search_nwfilters %nwfilter:getattr
180H nwfilter_define_xml xml:s -> nwfilter:NF @nwfilter:write,nwfilter:save
181H nwfilter_undefine nwfilter:NF -> @nwfilter:delete
182 domain_managed_save dom:D flags:u -> @domain:hibernate
183 domain_has_managed_save_image dom:D flags:u -> result:i @domain:read
184 domain_managed_save_remove dom:D flags:u -> @domain:hibernate
185 domain_snapshot_create_xml dom:D xml_desc:s flags:u -> snap:SN @domain:snapshot,domain:fs_freeze:VIR_DOMAIN_SNAPSHOT_CREATE_QUIESCE
186H domain_snapshot_get_xml_desc snap:SN flags:u -> xml:s @domain:read,domain:read_secure:VIR_DOMAIN_SNAPSHOT_XML_SECURE
187H domain_snapshot_num dom:D flags:u -> num:i @domain:read
188H domain_snapshot_list_names dom:D maxnames:i flags:u -> names:s[] @domain:read
189H domain_snapshot_lookup_by_name dom:D name:s flags:u -> snap:SN @domain:read
190 domain_has_current_snapshot dom:D flags:u -> result:i @domain:read
191 domain_snapshot_current dom:D flags:u -> snap:SN @domain:read
192 domain_revert_to_snapshot snap:SN flags:u -> @domain:snapshot
193 domain_snapshot_delete snap:SN flags:u -> @domain:snapshot
194 domain_get_block_info dom:D path:s flags:u -> allocation:L capacity:L physical:L @domain:read
! 195 domain_event_io_error_reason dom:D srcPath:s devAlias:s action:i reason:s
196 domain_create_with_flags dom:D flags:u -> dom:D @domain:start
197 domain_set_memory_parameters dom:D params:P[] flags:u -> @domain:write,domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE,domain:save:VIR_DOMAIN_AFFECT_CONFIG
198 domain_get_memory_parameters dom:D nparams:i flags:u -> params:P[] nparams:i @domain:read
199 domain_set_vcpus_flags dom:D nvcpus:u flags:u -> @domain:write,domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE,domain:save:VIR_DOMAIN_AFFECT_CONFIG,domain:write:VIR_DOMAIN_VCPU_GUEST
200 domain_get_vcpus_flags dom:D flags:u -> num:i @domain:read,domain:write:VIR_DOMAIN_VCPU_GUEST
201R domain_open_console dom:D dev_name:s? flags:u -> @domain:open_device
202H domain_is_updated dom:D -> updated:i @domain:read
203H connect_get_sysinfo flags:u -> sysinfo:s @connect:read
204 domain_set_memory_flags dom:D memory:L flags:u -> @domain:write,domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE,domain:save:VIR_DOMAIN_AFFECT_CONFIG
205 domain_set_blkio_parameters dom:D params:P[] flags:u -> @domain:write,domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE,domain:save:VIR_DOMAIN_AFFECT_CONFIG
206 domain_get_blkio_parameters dom:D nparams:i flags:u -> params:P[] nparams:i @domain:read
207 domain_migrate_set_max_speed dom:D bandwidth:L flags:u -> @domain:migrate
208W storage_vol_upload vol:SV offset:L length:L flags:u -> @storage_vol:data_write
209R storage_vol_download vol:SV offset:L length:L flags:u -> @storage_vol:data_read
210 domain_inject_nmi dom:D flags:u -> @domain:inject_nmi
211R domain_screenshot dom:D screen:u flags:u -> mime:s? @domain:screenshot
212H domain_get_state dom:D flags:u -> state:i reason:i @domain:read
213 domain_migrate_begin3 dom:D xmlin:s? flags:L dname:s? resource:L -> cookie_out:o[] xml:s @domain:migrate
214 domain_migrate_prepare3 cookie_in:o[] uri_in:s? flags:L dname:s? resource:L dom_xml:s -> cookie_out:o[] uri_out:s? @domain:migrate,domain:start,domain:write
215W domain_migrate_prepare_tunnel3 cookie_in:o[] flags:L dname:s? resource:L dom_xml:s -> cookie_out:o[] @domain:migrate,domain:start,domain:write
216 domain_migrate_perform3 dom:D xmlin:s? cookie_in:o[] dconnuri:s? uri:s? flags:L dname:s? resource:L -> cookie_out:o[] @domain:migrate
217 domain_migrate_finish3 dname:s cookie_in:o[] dconnuri:s? uri:s? flags:L cancelled:i -> dom:D cookie_out:o[] @domain:migrate
218 domain_migrate_confirm3 dom:D cookie_in:o[] flags:L cancelled:i -> @domain:migrate
219 domain_set_scheduler_parameters_flags dom:D params:P[] flags:u -> @domain:write,domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE,domain:save:VIR_DOMAIN_AFFECT_CONFIG
220 interface_change_begin flags:u -> @connect:interface_transaction
221 interface_change_commit flags:u -> @connect:interface_transaction
222 interface_change_rollback flags:u -> @connect:interface_transaction
223 domain_get_scheduler_parameters_flags dom:D nparams:i flags:u -> params:P[] @domain:read
! 224 domain_event_control_error dom:D
225 domain_pin_vcpu_flags dom:D vcpu:u cpumap:o[] flags:u -> @domain:write,domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE,domain:save:VIR_DOMAIN_AFFECT_CONFIG
226 domain_send_key dom:D codeset:u holdtime:u keycodes:u[] flags:u -> @domain:send_input
227H node_get_cpu_stats cpuNum:i nparams:i flags:u -> params:remote_node_get_cpu_stats[] nparams:i @connect:read
228H node_get_memory_stats nparams:i cellNum:i flags:u -> params:remote_node_get_memory_stats[] nparams:i @connect:read
229H domain_get_control_info dom:D flags:u -> state:u details:u stateTime:L @domain:read
230 domain_get_vcpu_pin_info dom:D ncpumaps:i maplen:i flags:u -> cpumaps:o[] num:i @domain:read
231H domain_undefine_flags dom:D flags:u -> @domain:delete
232 domain_save_flags dom:D to:s dxml:s? flags:u -> @domain:hibernate
233 domain_restore_flags from_:s dxml:s? flags:u -> @domain:start,domain:write
234H domain_destroy_flags dom:D flags:u -> @domain:stop
235H domain_save_image_get_xml_desc file:s flags:u -> xml:s @domain:write
236H domain_save_image_define_xml file:s dxml:s flags:u -> @domain:write,domain:hibernate
237 domain_block_job_abort dom:D path:s flags:u -> @domain:write
238 domain_get_block_job_info dom:D path:s flags:u -> found:i type:i bandwidth:L cur:L end:L @domain:read
239 domain_block_job_set_speed dom:D path:s bandwidth:L flags:u -> @domain:write
240 domain_block_pull dom:D path:s bandwidth:L flags:u -> @domain:block_write
! 241 domain_event_block_job dom:D path:s type:i status:i
242 domain_migrate_get_max_speed dom:D flags:u -> bandwidth:L @domain:migrate
243 domain_block_stats_flags dom:D path:s nparams:i flags:u -> params:P[] nparams:i @domain:read
244H domain_snapshot_get_parent snap:SN flags:u -> snap:SN @domain:read
245 domain_reset dom:D flags:u -> @domain:reset
246H domain_snapshot_num_children snap:SN flags:u -> num:i @domain:read
247H domain_snapshot_list_children_names snap:SN maxnames:i flags:u -> names:s[] @domain:read
! 248 domain_event_disk_change dom:D oldSrcPath:s? newSrcPath:s? devAlias:s reason:i
249 domain_open_graphics dom:D idx:u flags:u -> @domain:open_graphics
250 node_suspend_for_duration target:u duration:L flags:u -> @connect:pm_control
251 domain_block_resize dom:D disk:s size:L flags:u -> @domain:block_write
252 domain_set_block_io_tune dom:D disk:s params:P[] flags:u -> @domain:write,domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE,domain:save:VIR_DOMAIN_AFFECT_CONFIG
253 domain_get_block_io_tune dom:D disk:s? nparams:i flags:u -> params:P[] nparams:i @domain:read
254 domain_set_numa_parameters dom:D params:P[] flags:u -> @domain:write,domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE,domain:save:VIR_DOMAIN_AFFECT_CONFIG
255 domain_get_numa_parameters dom:D nparams:i flags:u -> params:P[] nparams:i @domain:read
256 domain_set_interface_parameters dom:D device:s params:P[] flags:u -> @domain:write,domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE,domain:save:VIR_DOMAIN_AFFECT_CONFIG
257 domain_get_interface_parameters dom:D device:s nparams:i flags:u -> params:P[] nparams:i @domain:read
258 domain_shutdown_flags dom:D flags:u -> @domain:init_control,domain:write:VIR_DOMAIN_SHUTDOWN_GUEST_AGENT
259 storage_vol_wipe_pattern vol:SV algorithm:u flags:u -> @storage_vol:format
260 storage_vol_resize vol:SV capacity:L flags:u -> @storage_vol:resize
261 domain_pm_suspend_for_duration dom:D target:u duration:L flags:u -> @domain:pm_control
262 domain_get_cpu_stats dom:D nparams:u start_cpu:i ncpus:u flags:u -> params:P[] nparams:i @domain:read
263 domain_get_disk_errors dom:D maxerrors:u flags:u -> errors:remote_domain_disk_error[] nerrors:i @domain:read
264 domain_set_metadata dom:D type:i metadata:s? key:s? uri:s? flags:u -> @domain:write,domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE,domain:save:VIR_DOMAIN_AFFECT_CONFIG
265 domain_get_metadata dom:D type:i uri:s? flags:u -> metadata:s @domain:read
266 domain_block_rebase dom:D path:s base:s? bandwidth:L flags:u -> @domain:block_write
267 domain_pm_wakeup dom:D flags:u -> @domain:pm_control
! 268 domain_event_tray_change dom:D devAlias:s reason:i
! 269 domain_event_pmwakeup dom:D
! 270 domain_event_pmsuspend dom:D
271 domain_snapshot_is_current snap:SN flags:u -> current:i @domain:read
272 domain_snapshot_has_metadata snap:SN flags:u -> metadata:i @domain:read
273H connect_list_all_domains need_results:i flags:u -> domains:D[] ret:u @connect:search_domains %domain:getattr
274H domain_list_all_snapshots dom:D need_results:i flags:u -> snapshots:SN[] ret:i @domain:read
275H domain_snapshot_list_all_children snapshot:SN need_results:i flags:u -> snapshots:SN[] ret:i @domain:read
! 276 domain_event_balloon_change dom:D actual:L
277 domain_get_hostname dom:D flags:u -> hostname:s @domain:write
278H domain_get_security_label_list dom:D -> labels:remote_domain_get_security_label_ret[] ret:i @domain:read
279 domain_pin_emulator dom:D cpumap:o[] flags:u -> @domain:write,domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE,domain:save:VIR_DOMAIN_AFFECT_CONFIG
280 domain_get_emulator_pin_info dom:D maplen:i flags:u -> cpumaps:o[] ret:i @domain:read
281H connect_list_all_storage_pools need_results:i flags:u -> pools:SP[] ret:u @connect:search_storage_pools %storage_pool:getattr
282H storage_pool_list_all_volumes pool:SP need_results:i flags:u -> vols:SV[] ret:u @storage_pool:search_storage_vols %storage_vol:getattr
283H connect_list_all_networks need_results:i flags:u -> nets:N[] ret:u @connect:search_networks %network:getattr
284H connect_list_all_interfaces need_results:i flags:u -> ifaces:IF[] ret:u @connect:search_interfaces %interface:getattr
285H connect_list_all_node_devices need_results:i flags:u -> devices:ND[] ret:u @connect:search_node_devices %node_device:getattr
286H connect_list_all_nwfilters need_results:i flags:u -> filters:NF[] ret:u @connect:search_nwfilters %nwfilter:getattr
287H connect_list_all_secrets need_results:i flags:u -> secrets:SE[] ret:u @connect:search_secrets %secret:getattr
288 node_set_memory_parameters params:P[] flags:u -> @connect:write
289 node_get_memory_parameters nparams:i flags:u -> params:P[] nparams:i @connect:read
290 domain_block_commit dom:D disk:s base:s? top:s? bandwidth:L flags:u -> @domain:block_write
291H network_update net:N command:u section:u parentIndex:i xml:s flags:u -> @network:write,network:save:!VIR_NETWORK_UPDATE_AFFECT_CONFIG|VIR_NETWORK_UPDATE_AFFECT_LIVE,network:save:VIR_NETWORK_UPDATE_AFFECT_CONFIG
! 292 domain_event_pmsuspend_disk dom:D
293 node_get_cpu_map need_map:i need_online:i flags:u -> cpumap:o[] online:u ret:i @connect:read
294 domain_fstrim dom:D mountPoint:s? minimum:L flags:u -> @domain:fs_trim
295 domain_send_process_signal dom:D pid_value:l signum:u flags:u -> @domain:send_signal
296R domain_open_channel dom:D name:s? flags:u -> @domain:open_device
297H node_device_lookup_scsi_host_by_wwn wwnn:s wwpn:s flags:u -> dev:ND @node_device:getattr
298 domain_get_job_stats dom:D flags:u -> type:i params:P[] @domain:read
299 domain_migrate_get_compression_cache dom:D flags:u -> cacheSize:L @domain:migrate
300 domain_migrate_set_compression_cache dom:D cacheSize:L flags:u -> @domain:migrate
301 node_device_detach_flags name:s driverName:s? flags:u -> @node_device:detach
302 domain_migrate_begin3_params dom:D params:P[] flags:u -> cookie_out:o[] xml:s @domain:migrate
303 domain_migrate_prepare3_params params:P[] cookie_in:o[] flags:u -> cookie_out:o[] uri_out:s? @domain:migrate,domain:start,domain:write
304 domain_migrate_prepare_tunnel3_params params:P[] cookie_in:o[] flags:u -> cookie_out:o[] @domain:migrate,domain:start,domain:write
305 domain_migrate_perform3_params dom:D dconnuri:s? params:P[] cookie_in:o[] flags:u -> cookie_out:o[] @domain:migrate
306 domain_migrate_finish3_params params:P[] cookie_in:o[] flags:u cancelled:i -> dom:D cookie_out:o[] @domain:migrate
307 domain_migrate_confirm3_params dom:D params:P[] cookie_in:o[] flags:u cancelled:i -> @domain:migrate
308 domain_set_memory_stats_period dom:D period:i flags:u -> @domain:write,domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE,domain:save:VIR_DOMAIN_AFFECT_CONFIG
309 domain_create_xml_with_files xml_desc:s flags:u -> dom:D @domain:write,domain:start
310 domain_create_with_files dom:D flags:u -> dom:D @domain:start
! 311 domain_event_device_removed dom:D devAlias:s
312 connect_get_cpu_model_names arch:s need_results:i flags:u -> models:s[] ret:i @connect:read
313H connect_network_event_register_any eventID:i net:N? -> callbackID:i @connect:search_networks %network:getattr
314H connect_network_event_deregister_any callbackID:i -> @connect:read
! 315 network_event_lifecycle callbackID:i net:N event:i detail:i
316H connect_domain_event_callback_register_any eventID:i dom:D? -> callbackID:i @connect:search_domains %domain:getattr
317H connect_domain_event_callback_deregister_any callbackID:i -> @connect:read
! 318 domain_event_callback_lifecycle callbackID:i msg:remote_domain_event_lifecycle_msg
! 319 domain_event_callback_reboot callbackID:i msg:remote_domain_event_reboot_msg
! 320 domain_event_callback_rtc_change callbackID:i msg:remote_domain_event_rtc_change_msg
! 321 domain_event_callback_watchdog callbackID:i msg:remote_domain_event_watchdog_msg
! 322 domain_event_callback_io_error callbackID:i msg:remote_domain_event_io_error_msg
! 323 domain_event_callback_graphics callbackID:i msg:remote_domain_event_graphics_msg
! 324 domain_event_callback_io_error_reason callbackID:i msg:remote_domain_event_io_error_reason_msg
! 325 domain_event_callback_control_error callbackID:i msg:remote_domain_event_control_error_msg
! 326 domain_event_callback_block_job callbackID:i msg:remote_domain_event_block_job_msg
! 327 domain_event_callback_disk_change callbackID:i msg:remote_domain_event_disk_change_msg
! 328 domain_event_callback_tray_change callbackID:i msg:remote_domain_event_tray_change_msg
! 329 domain_event_callback_pmwakeup callbackID:i reason:i msg:remote_domain_event_pmwakeup_msg
! 330 domain_event_callback_pmsuspend callbackID:i reason:i msg:remote_domain_event_pmsuspend_msg
! 331 domain_event_callback_balloon_change callbackID:i msg:remote_domain_event_balloon_change_msg
! 332 domain_event_callback_pmsuspend_disk callbackID:i reason:i msg:remote_domain_event_pmsuspend_disk_msg
! 333 domain_event_callback_device_removed callbackID:i msg:remote_domain_event_device_removed_msg
334 domain_core_dump_with_format dom:D to:s dumpformat:u flags:u -> @domain:core_dump
335 domain_fsfreeze dom:D mountpoints:s[] flags:u -> filesystems:i @domain:fs_freeze
336 domain_fsthaw dom:D mountpoints:s[] flags:u -> filesystems:i @domain:fs_freeze
337 domain_get_time dom:D flags:u -> seconds:l nseconds:u @domain:write
338 domain_set_time dom:D seconds:l nseconds:u flags:u -> @domain:set_time
! 339 domain_event_block_job_2 callbackID:i dom:D dst:s type:i status:i
340H node_get_free_pages pages:u[] startCell:i cellCount:u flags:u -> counts:L[] @connect:read
341 network_get_dhcp_leases net:N mac:s? need_results:i flags:u -> leases:remote_network_dhcp_lease[] ret:u @network:read
342 connect_get_domain_capabilities emulatorbin:s? arch:s? machine:s? virttype:s? flags:u -> capabilities:s @connect:write
343 domain_open_graphics_fd dom:D idx:u flags:u -> @domain:open_graphics
344 connect_get_all_domain_stats doms:D[] stats:u flags:u -> retStats:remote_domain_stats_record[] @connect:search_domains %domain:read
345 domain_block_copy dom:D path:s destxml:s params:P[] flags:u -> @domain:block_write
! 346 domain_event_callback_tunable callbackID:i dom:D params:P[]
347 node_alloc_pages pageSizes:u[] pageCounts:L[] startCell:i cellCount:u flags:u -> ret:i @connect:write
! 348 domain_event_callback_agent_lifecycle callbackID:i dom:D state:i reason:i
349 domain_get_fsinfo dom:D flags:u -> info:remote_domain_fsinfo[] ret:u @domain:fs_freeze
350H domain_define_xml_flags xml:s flags:u -> dom:D @domain:write,domain:save
351 domain_get_iothread_info dom:D flags:u -> info:remote_domain_iothread_info[] ret:u @domain:read
352 domain_pin_iothread dom:D iothreads_id:u cpumap:o[] flags:u -> @domain:write,domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE,domain:save:VIR_DOMAIN_AFFECT_CONFIG
353 domain_interface_addresses dom:D source:u flags:u -> ifaces:remote_domain_interface[] @domain:read,domain:write::source:VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT
! 354 domain_event_callback_device_added callbackID:i dom:D devAlias:s
355 domain_add_iothread dom:D iothread_id:u flags:u -> @domain:write,domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE,domain:save:VIR_DOMAIN_AFFECT_CONFIG
356 domain_del_iothread dom:D iothread_id:u flags:u -> @domain:write,domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE,domain:save:VIR_DOMAIN_AFFECT_CONFIG
357 domain_set_user_password dom:D user:s? password:s? flags:u -> @domain:set_password
358 domain_rename dom:D new_name:s? flags:u -> retcode:i @domain:write,domain:save
! 359 domain_event_callback_migration_iteration callbackID:i dom:D iteration:i
360H connect_register_close_callback -> @connect:getattr
361H connect_unregister_close_callback -> @connect:getattr
! 362 connect_event_connection_closed reason:i
! 363 domain_event_callback_job_completed callbackID:i dom:D params:P[]
364 domain_migrate_start_post_copy dom:D flags:u -> @domain:migrate
365 domain_get_perf_events dom:D flags:u -> params:P[] @domain:read
366 domain_set_perf_events dom:D params:P[] flags:u -> @domain:write
! 367 domain_event_callback_device_removal_failed callbackID:i dom:D devAlias:s
368H connect_storage_pool_event_register_any eventID:i pool:SP? -> callbackID:i @connect:search_storage_pools %storage_pool:getattr
369H connect_storage_pool_event_deregister_any callbackID:i -> @connect:read
! 370 storage_pool_event_lifecycle callbackID:i pool:SP event:i detail:i
371 domain_get_guest_vcpus dom:D flags:u -> params:P[] @domain:write
372 domain_set_guest_vcpus dom:D cpumap:s state:i flags:u -> @domain:write
! 373 storage_pool_event_refresh callbackID:i pool:SP
374H connect_node_device_event_register_any eventID:i dev:ND? -> callbackID:i @connect:search_node_devices %node_device:getattr
375H connect_node_device_event_deregister_any callbackID:i -> @connect:read
! 376 node_device_event_lifecycle callbackID:i dev:ND event:i detail:i
! 377 node_device_event_update callbackID:i dev:ND
378H storage_vol_get_info_flags vol:SV flags:u -> type:c capacity:L allocation:L @storage_vol:read
! 379 domain_event_callback_metadata_change callbackID:i dom:D type:i nsuri:s?
380H connect_secret_event_register_any eventID:i secret:SE? -> callbackID:i @connect:search_secrets %secret:getattr
381H connect_secret_event_deregister_any callbackID:i -> @connect:read
! 382 secret_event_lifecycle callbackID:i secret:SE event:i detail:i
! 383 secret_event_value_changed callbackID:i secret:SE
384 domain_set_vcpu dom:D cpumap:s state:i flags:u -> @domain:write,domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE,domain:save:VIR_DOMAIN_AFFECT_CONFIG
! 385 domain_event_block_threshold callbackID:i dom:D dev:s path:s? threshold:L excess:L
386 domain_set_block_threshold dom:D dev:s threshold:L flags:u -> @domain:write
387 domain_migrate_get_max_downtime dom:D flags:u -> downtime:L @domain:migrate
388 domain_managed_save_get_xml_desc dom:D flags:u -> xml:s @domain:read,domain:read_secure:VIR_DOMAIN_SAVE_IMAGE_XML_SECURE
389 domain_managed_save_define_xml dom:D dxml:s? flags:u -> @domain:write,domain:hibernate
390 domain_set_lifecycle_action dom:D type:u action:u flags:u -> @domain:write
391H storage_pool_lookup_by_target_path path:s -> pool:SP @storage_pool:getattr
392 domain_detach_device_alias dom:D alias:s flags:u -> @domain:write,domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE,domain:save:VIR_DOMAIN_AFFECT_CONFIG
393 connect_compare_hypervisor_cpu emulator:s? arch:s? machine:s? virttype:s? xmlCPU:s flags:u -> result:i @connect:write
394 connect_baseline_hypervisor_cpu emulator:s? arch:s? machine:s? virttype:s? xmlCPUs:s[] flags:u -> cpu:s @connect:write
395 node_get_sev_info nparams:i flags:u -> params:P[] nparams:i @connect:read
396 domain_get_launch_security_info dom:D flags:u -> params:P[] @domain:read
397H nwfilter_binding_lookup_by_port_dev name:s -> nwfilter:NB @nwfilter_binding:getattr
398H nwfilter_binding_get_xml_desc nwfilter:NB flags:u -> xml:s @nwfilter_binding:read
399H nwfilter_binding_create_xml xml:s flags:u -> nwfilter:NB @nwfilter_binding:create
400H nwfilter_binding_delete nwfilter:NB -> @nwfilter_binding:delete
401H connect_list_all_nwfilter_bindings need_results:i flags:u -> bindings:NB[] ret:u @connect:search_nwfilter_bindings %nwfilter_binding:getattr
402 domain_set_iothread_params dom:D iothread_id:u params:P[] flags:u -> @domain:write,domain:save:!VIR_DOMAIN_AFFECT_CONFIG|VIR_DOMAIN_AFFECT_LIVE,domain:save:VIR_DOMAIN_AFFECT_CONFIG
403 connect_get_storage_pool_capabilities flags:u -> capabilities:s @connect:read
404H network_list_all_ports network:N need_results:i flags:u -> ports:NP[] ret:u @network:search_ports %network_port:getattr
405H network_port_lookup_by_uuid network:N uuid:U -> port:NP @network_port:getattr
406 network_port_create_xml network:N xml:s flags:u -> port:NP @network_port:create
407 network_port_get_parameters port:NP nparams:i flags:u -> params:P[] nparams:i @network_port:read
408 network_port_set_parameters port:NP params:P[] flags:u -> @network_port:write
409 network_port_get_xml_desc port:NP flags:u -> xml:s @network_port:read
410 network_port_delete port:NP flags:u -> @network_port:delete
411 domain_checkpoint_create_xml dom:D xml_desc:s flags:u -> checkpoint:CK @domain:checkpoint,domain:fs_freeze:VIR_DOMAIN_CHECKPOINT_CREATE_QUIESCE
412 domain_checkpoint_get_xml_desc checkpoint:CK flags:u -> xml:s @domain:read,domain:read_secure:VIR_DOMAIN_CHECKPOINT_XML_SECURE
413H domain_list_all_checkpoints dom:D need_results:i flags:u -> checkpoints:CK[] ret:i @domain:read
414H domain_checkpoint_list_all_children checkpoint:CK need_results:i flags:u -> checkpoints:CK[] ret:i @domain:read
415H domain_checkpoint_lookup_by_name dom:D name:s flags:u -> checkpoint:CK @domain:read
416H domain_checkpoint_get_parent checkpoint:CK flags:u -> parent:CK @domain:read
417 domain_checkpoint_delete checkpoint:CK flags:u -> @domain:checkpoint
418 domain_get_guest_info dom:D types:u flags:u -> params:P[] @domain:write
419 connect_set_identity params:P[] flags:u -> @connect:write
420 domain_agent_set_response_timeout dom:D timeout:i flags:u -> result:i @domain:write
421 domain_backup_begin dom:D backup_xml:s checkpoint_xml:s? flags:u -> @domain:checkpoint,domain:block_write
422H domain_backup_get_xml_desc dom:D flags:u -> xml:s @domain:read
! 423 domain_event_memory_failure callbackID:i dom:D recipient:i action:i flags:u
424 domain_authorized_ssh_keys_get dom:D user:s flags:u -> keys:s[] @domain:write
425 domain_authorized_ssh_keys_set dom:D user:s keys:s[] flags:u -> @domain:write
426 domain_get_messages dom:D flags:u -> msgs:s[] @domain:read
427 domain_start_dirty_rate_calc dom:D seconds:i flags:u -> @domain:write
428 node_device_define_xml xml_desc:s flags:u -> dev:ND @node_device:write
429H node_device_undefine name:s flags:u -> @node_device:delete
430H node_device_create name:s flags:u -> @node_device:start
431H nwfilter_define_xml_flags xml:s flags:u -> nwfilter:NF @nwfilter:write,nwfilter:save
432H network_define_xml_flags xml:s flags:u -> net:N @network:write,network:save
433H node_device_get_autostart name:s -> autostart:i @node_device:read
434H node_device_set_autostart name:s autostart:i -> @node_device:write
435H node_device_is_persistent name:s -> persistent:i @node_device:read
436H node_device_is_active name:s -> active:i @node_device:read
437H network_create_xml_flags xml:s flags:u -> net:N @network:write,network:start
! 438 domain_event_memory_device_size_change callbackID:i dom:D alias:s size:L
439 domain_set_launch_security_state dom:D params:P[] flags:u -> @domain:write
440 domain_save_params dom:D params:P[] flags:u -> @domain:hibernate
441 domain_restore_params params:P[] flags:u -> @domain:start,domain:write
442 domain_abort_job_flags dom:D flags:u -> @domain:write
443 domain_fd_associate dom:D name:s flags:u -> @domain:write
prog qemu 0x20008087
struct qemu_domain_monitor_event_msg callbackID:i dom:D event:s seconds:l micros:u details:s?
1 domain_monitor_command dom:D cmd:s flags:u -> result:s
2 domain_attach pid_value:u flags:u -> dom:D
3 domain_agent_command dom:D cmd:s timeout:i flags:u -> result:s?
4H connect_domain_monitor_event_register dom:D? event:s? flags:u -> callbackID:i
5H connect_domain_monitor_event_deregister callbackID:i ->
! 6 domain_monitor_event callbackID:i dom:D event:s seconds:l micros:u details:s?
7 domain_monitor_command_with_files dom:D cmd:s flags:u -> result:s
prog lxc 0x00068000
1 domain_open_namespace dom:D flags:u ->
prog admin 0x06900690
struct admin_nonnull_server name:s
struct admin_nonnull_client srv:admin_nonnull_server id:L timestamp:l transport:u
1 connect_open flags:u ->
2 connect_close ->
3 connect_get_lib_version -> libVer:L
4 connect_list_servers need_results:u flags:u -> servers:admin_nonnull_server[] ret:u
5 connect_lookup_server name:s flags:u -> srv:admin_nonnull_server
6 server_get_threadpool_parameters srv:admin_nonnull_server flags:u -> params:P[]
7 server_set_threadpool_parameters srv:admin_nonnull_server params:P[] flags:u ->
8 server_list_clients srv:admin_nonnull_server need_results:u flags:u -> clients:admin_nonnull_client[] ret:u
9 server_lookup_client srv:admin_nonnull_server id:L flags:u -> clnt:admin_nonnull_client
10 client_get_info clnt:admin_nonnull_client flags:u -> params:P[]
11 client_close clnt:admin_nonnull_client flags:u ->
12 server_get_client_limits srv:admin_nonnull_server flags:u -> params:P[]
13 server_set_client_limits srv:admin_nonnull_server params:P[] flags:u ->
14 connect_get_logging_outputs flags:u -> outputs:s noutputs:u
15 connect_get_logging_filters flags:u -> filters:s? nfilters:u
16 connect_set_logging_outputs outputs:s? flags:u ->
17 connect_set_logging_filters filters:s? flags:u ->
18 server_update_tls_files srv:admin_nonnull_server flags:u ->
19 connect_set_daemon_timeout timeout:u flags:u ->
"""
