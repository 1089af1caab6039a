/* Why a packet went no further. One list: enum, counter, metric and docs row come from it. Preprocessor and
 * enum alone, so that the XDP program (drivers/af_xdp) counts by the same reasons as the io lcores. */
#ifndef VX_DROP_H
#define VX_DROP_H

#define VX_DROP_REASONS(X)                                                                         \
    X(NONE, "none", "accepted")                                                                    \
    X(SHORT_ETHERNET, "short_ethernet", "frame shorter than its Ethernet or VLAN header")          \
    X(SEGMENTED, "segmented", "frame is spread over several buffers")                              \
    X(OTHER_ETHERTYPE, "other_ethertype", "neither IPv4 nor IPv6 nor ARP")                         \
    X(SHORT_IP, "short_ip", "frame shorter than its IP header or total length")                    \
    X(BAD_IP_HEADER, "bad_ip_header", "IP version, header length or total length contradicts")     \
    X(BAD_IP_CHECKSUM, "bad_ip_checksum", "IPv4 header checksum does not match")                   \
    X(FRAGMENT, "fragment", "a fragment of an IP packet")                                          \
    X(IP6_EXTENSION, "ip6_extension", "IPv6 extension header")                                     \
    X(OTHER_PROTOCOL, "other_protocol", "neither UDP nor anything we answer")                      \
    X(SHORT_UDP, "short_udp", "packet shorter than its UDP header or length")                      \
    X(BAD_UDP_LENGTH, "bad_udp_length", "UDP length contradicts the IP length")                    \
    X(BAD_UDP_CHECKSUM, "bad_udp_checksum", "UDP checksum does not match, or is absent on IPv6")   \
    X(NOT_OUR_ADDRESS, "not_our_address", "destination address is not ours")                       \
    X(WRONG_PORT, "wrong_port", "UDP port is not the game's")                                      \
    X(BAD_SOURCE, "bad_source", "source address is multicast, broadcast or unspecified")           \
    X(SHORT_HEADER, "short_header", "payload shorter than the session header")                     \
    X(BAD_MAGIC, "bad_magic", "payload does not begin with the magic and version")                 \
    X(BAD_COUNT, "bad_count", "payload length contradicts its action count")                       \
    X(BAD_PLAYER, "bad_player", "player id is not below the configured number of players")         \
    X(BAD_ACTION, "bad_action", "an action type that does not exist")                              \
    X(CONTROL_ANSWERED, "control_answered", "ARP, ICMP echo or neighbour solicitation, answered")  \
    X(CONTROL_IGNORED, "control_ignored", "ARP, ICMP or ICMPv6 that asks nothing of us")           \
    X(NETCODE_SHORT, "netcode_short", "netcode packet shorter than its prefix, sequence number and tag") \
    X(NETCODE_BAD_TYPE, "netcode_bad_type", "netcode packet type that does not exist")             \
    X(NETCODE_NOT_TAKEN, "netcode_not_taken", "netcode packet type that only the other side takes") \
    X(NETCODE_BAD_PREFIX, "netcode_bad_prefix", "netcode sequence number of no bytes or of more than 8") \
    X(NETCODE_BAD_LENGTH, "netcode_bad_length", "netcode packet length does not fit its type")     \
    X(NETCODE_REPLAYED, "netcode_replayed", "sequence number was received before, or is older than the window") \
    X(NETCODE_FORGED, "netcode_forged", "packet does not authenticate under its session's key")    \
    X(NETCODE_OTHER_VERSION, "netcode_other_version", "connection request of another netcode version") \
    X(NETCODE_OTHER_GAME, "netcode_other_game", "connection request for another protocol id")      \
    X(NETCODE_EXPIRED, "netcode_expired", "connection request whose connect token has expired")    \
    X(NETCODE_TOKEN_FORGED, "netcode_token_forged", "connect token does not open under any of our keys") \
    X(NETCODE_TOKEN_BAD, "netcode_token_bad", "connect token opens, but its fields make no sense") \
    X(NETCODE_OTHER_SERVER, "netcode_other_server", "connect token does not name this server's address") \
    X(NETCODE_USER_BAD, "netcode_user_bad", "connect token's user data is of no version or range that we know") \
    X(NETCODE_CHALLENGE_FORGED, "netcode_challenge_forged", "challenge token is not one of ours, or another client's") \
    X(NETCODE_BEFORE_START, "netcode_before_start", "connect token may have been used before this server started") \
    X(NETCODE_UNKNOWN, "netcode_unknown", "sealed packet from an address that has no session")     \
    X(NETCODE_NOT_CONNECTED, "netcode_not_connected", "packet of a session from an address that is not connected yet") \
    X(NETCODE_CONNECTED, "netcode_connected", "request or response from an address that is connected") \
    X(NETCODE_ASKED, "netcode_asked", "response repeated while admission decides")                 \
    X(NETCODE_NO_PLACE, "netcode_no_place", "request when every place for a session is taken")     \
    X(NETCODE_RATE, "netcode_rate", "request beyond the handshakes that one second may have")      \
    X(NETCODE_NETWORK_RATE, "netcode_network_rate", "request beyond the handshakes that a second may have for its source network") \
    X(NETCODE_LOAD, "netcode_load", "handshake put off, because players' packets come first")      \
    X(NETCODE_HANDSHAKE, "netcode_handshake", "request or response that admission is asked about") \
    X(NETCODE_KEEP_ALIVE, "netcode_keep_alive", "keep-alive of a session, marked")                 \
    X(NETCODE_DISCONNECT, "netcode_disconnect", "disconnect of a session")                         \
    X(BANNED, "banned", "source address is banned")                                                \
    X(OVER_RATE, "over_rate", "source sends more than the configured rate")                        \
    X(SPREAD_FULL, "spread_full", "ring to the io lcore that its flow belongs to is full")

enum vx_drop {
#define VX_DROP_ENUM(name, text, sentence) VX_DROP_##name,
    VX_DROP_REASONS(VX_DROP_ENUM)
#undef VX_DROP_ENUM
        VX_DROP_COUNT
};

#endif
