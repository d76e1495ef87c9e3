"""Default values of Postfix 3.x parameters, the others being empty, and of Dovecot's schemes."""

POSTFIX_DEFAULTS = {
    "alias_database": "hash:/etc/aliases",
    "alias_maps": "hash:/etc/aliases, nis:mail.aliases",
    "append_dot_mydomain": "${{$compatibility_level} <level {1} ? {yes} : {no}}",
    "command_directory": "/usr/sbin",
    "compatibility_level": "0",
    "daemon_directory": "/usr/lib/postfix/sbin",
    "data_directory": "/var/lib/postfix",
    "default_database_type": "hash",
    "default_destination_recipient_limit": "50",
    "default_transport": "smtp",
    "lmtp_tcp_port": "24",
    "local_login_sender_maps": "static:*",
    "local_recipient_maps": "proxy:unix:passwd.byname $alias_maps",
    "mail_name": "Postfix",
    "mail_owner": "postfix",
    "mail_spool_directory": "/var/mail",
    "message_size_limit": "10240000",
    "process_id_directory": "pid",
    "queue_directory": "/var/spool/postfix",
    "local_transport": "local:$myhostname",
    "mydestination": "$myhostname, localhost.$mydomain, localhost",
    "myorigin": "$myhostname",
    "parent_domain_matches_subdomains": "debug_peer_list,fast_flush_domains,mynetworks,"
    "permit_mx_backup_networks,qmqpd_authorized_clients,relay_domains,smtpd_access_maps",
    "propagate_unmatched_extensions": "canonical, virtual",
    "relay_domains": "${{$compatibility_level} <level {2} ? {$mydestination} : {}}",
    "relay_transport": "relay",
    "smtpd_relay_restrictions": "${{$compatibility_level} <level {1} ? {} : "
    "{permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination}}",
    "smtpd_sasl_auth_enable": "no",
    "smtpd_sasl_path": "smtpd",
    "smtpd_sasl_type": "cyrus",
    "smtpd_tls_auth_only": "no",
    "syslog_name": "${multi_instance_name?{$multi_instance_name}:{postfix}}",
    "setgid_group": "postdrop",
    "smtputf8_enable": "${{$compatibility_level} <level {1} ? {no} : {yes}}",
    "virtual_alias_address_length_limit": "1000",
    "virtual_alias_domains": "$virtual_alias_maps",
    "virtual_alias_expansion_limit": "1000",
    "virtual_alias_maps": "$virtual_maps",
    "virtual_alias_recursion_limit": "1000",
    "virtual_mailbox_domains": "$virtual_mailbox_maps",
    "virtual_mailbox_limit": "51200000",
    "virtual_minimum_uid": "100",
    "virtual_transport": "virtual",
}
# Per-transport limits that default to the general one: `dovecot_destination_recipient_limit`.
RECIPIENT_LIMIT_SUFFIX = "_destination_recipient_limit"

PROXY_READ_PARAMETERS = """
    local_recipient_maps mydestination virtual_alias_maps virtual_alias_domains virtual_mailbox_maps
    virtual_mailbox_domains relay_recipient_maps relay_domains canonical_maps sender_canonical_maps
    recipient_canonical_maps relocated_maps transport_maps mynetworks smtpd_sender_login_maps
    sender_bcc_maps recipient_bcc_maps smtp_generic_maps lmtp_generic_maps alias_maps
    smtpd_client_restrictions smtpd_helo_restrictions smtpd_sender_restrictions
    smtpd_relay_restrictions smtpd_recipient_restrictions
    address_verify_sender_dependent_default_transport_maps
    address_verify_sender_dependent_relayhost_maps address_verify_transport_maps
    fallback_transport_maps lmtp_discard_lhlo_keyword_address_maps lmtp_pix_workaround_maps
    lmtp_sasl_password_maps lmtp_tls_policy_maps mailbox_command_maps mailbox_transport_maps
    postscreen_discard_ehlo_keyword_address_maps rbl_reply_maps
    sender_dependent_default_transport_maps sender_dependent_relayhost_maps
    smtp_discard_ehlo_keyword_address_maps smtp_pix_workaround_maps smtp_sasl_password_maps
    smtp_tls_policy_maps smtpd_discard_ehlo_keyword_address_maps smtpd_milter_maps virtual_gid_maps
    virtual_uid_maps local_login_sender_maps postscreen_reject_footer_maps
    smtpd_reject_footer_maps tls_server_sni_maps tlsproxy_client_policy_maps
    default_delivery_status_filter lmtp_delivery_status_filter lmtp_dns_reply_filter
    lmtp_reply_filter local_delivery_status_filter pipe_delivery_status_filter
    postscreen_command_filter smtp_delivery_status_filter smtp_dns_reply_filter smtp_reply_filter
    smtpd_command_filter smtpd_dns_reply_filter virtual_delivery_status_filter body_checks
    header_checks lmtp_body_checks lmtp_header_checks lmtp_mime_header_checks
    lmtp_nested_header_checks milter_header_checks mime_header_checks nested_header_checks
    smtp_body_checks smtp_header_checks smtp_mime_header_checks smtp_nested_header_checks
""".split()  # noqa: SIM905 (more readable than a hundred quoted lines)
POSTFIX_DEFAULTS["proxy_read_maps"] = " ".join(f"${name}" for name in PROXY_READ_PARAMETERS)

# Parameters whose default is the value of another.
INHERITED_DEFAULTS = {
    "address_verify_sender_dependent_default_transport_maps": (
        "sender_dependent_default_transport_maps"
    ),
    "address_verify_sender_dependent_relayhost_maps": "sender_dependent_relayhost_maps",
    "address_verify_transport_maps": "transport_maps",
    "local_delivery_status_filter": "default_delivery_status_filter",
    "lmtp_delivery_status_filter": "default_delivery_status_filter",
    "mime_header_checks": "header_checks",
    "nested_header_checks": "header_checks",
    "pipe_delivery_status_filter": "default_delivery_status_filter",
    "smtp_delivery_status_filter": "default_delivery_status_filter",
    "virtual_delivery_status_filter": "default_delivery_status_filter",
}
POSTFIX_DEFAULTS |= {name: f"${other}" for name, other in INHERITED_DEFAULTS.items()}

# The schemes of passwords without a prefix, if none is set: by driver in Dovecot 2.3, one in 2.4.
DEFAULT_SCHEMES_2_3 = {"sql": "MD5", "passwd-file": "CRYPT"}
DEFAULT_SCHEME_2_4 = "PLAIN"
