-- What Pktgen's Lua scripts of this folder share: settings from the environment, the packet, one measurement.
--
-- Pktgen 23.03 runs them (`-f FILE`), from the root of the repository. Its range mode varies addresses, ports and length and fills
-- the payload with one pattern; the fields of the plain transport lie at fixed offsets, so its random bitfields (`rnd`: 32 of up to
-- 32 bits, written into each packet as it leaves) put a header and actions there. They are applied after the checksum was computed:
-- the first of them writes 0 over it, "none", as IPv4 allows. Only what Lua 5.1 to 5.4 have in common is used here.
local common = {}

local function setting(name, default)
    local value = os.getenv("VX_" .. name) or default
    return type(default) == "number" and tonumber(value) or value
end

common.setting = setting
common.port = setting("PORT", "0")
common.number = tonumber(common.port)
common.seconds = setting("SECONDS", 5)

local HEAD_BYTES, CHECKSUM_AT, FCS_BYTES = 42, 40, 4 -- Ethernet, IPv4, UDP; the UDP checksum's place; Pktgen counts the FCS
local HEADER_BYTES, ACTION_BYTES = 16, 16
local FIELD_BITS, OFFSET_MAX, FIELDS_MAX = 32, 255, 32
common.MOVE, common.PING = 5, 10
common.ACTIONS_MAX = math.floor((OFFSET_MAX - HEAD_BYTES - HEADER_BYTES) / ACTION_BYTES) + 1

-- Eight bits as Pktgen wants them, the most significant first.
local function byte(value)
    local bits = ""
    for power = 7, 0, -1 do bits = bits .. math.floor(value / 2 ^ power) % 2 end
    return bits
end

-- A little-endian word of which the low bits are random.
local function random_word(random_bits)
    local bytes = ""
    for index = 0, 3 do
        local bits = math.max(0, math.min(8, random_bits - 8 * index))
        bytes = bytes .. string.rep("0", 8 - bits) .. string.rep("X", bits)
    end
    return bytes
end

-- The bits from the UDP checksum on: header and first action whole, of the others only the first word (the pattern is zero).
local function fields(actions, player_bits)
    local bits = byte(0) .. byte(0) .. byte(0x56) .. byte(1) .. byte(actions) .. byte(0) .. random_word(player_bits)
        .. random_word(32) .. random_word(0) .. byte(common.MOVE) .. string.rep("0", 8 * (ACTION_BYTES - 1))
    local list = {}
    for at = 1, #bits, FIELD_BITS do
        list[#list + 1] = { offset = CHECKSUM_AT + (at - 1) / 8, mask = bits:sub(at, at + FIELD_BITS - 1) }
    end
    for action = 1, actions - 1 do
        list[#list + 1] = { offset = HEAD_BYTES + HEADER_BYTES + ACTION_BYTES * action, mask = byte(common.PING) .. string.rep("0", 24) }
    end
    return list
end

-- Puts the fields into their slots and empties the slots behind them.
function common.put(list)
    assert(#list <= FIELDS_MAX, "more bitfields than Pktgen has")
    for slot = 1, FIELDS_MAX do
        local field = list[slot]
        pktgen.rnd(common.port, slot - 1, field and field.offset or 0, field and field.mask or "")
    end
end

local function range(name, first, last, step)
    for _, row in ipairs { { "start", first }, { "min", first }, { "max", last }, { "inc", step } } do
        pktgen.range[name](common.port, row[1], row[2])
    end
end

-- Many flows to the game's port: `VX_SOURCE_PORTS` ports of each address from VX_CLIENT_IP to VX_CLIENT_IP_LAST.
function common.flows(payload_bytes)
    local ports, client, server = setting("SOURCE_PORTS", 1024), setting("CLIENT_IP", "10.99.0.2"), setting("SERVER_IP", "10.99.0.1")
    local last, game = setting("CLIENT_IP_LAST", client), setting("UDP_PORT", 40000)
    local size = HEAD_BYTES + payload_bytes + FCS_BYTES
    pktgen.screen("off")
    pktgen.set_proto(common.port, "udp")
    pktgen.pattern(common.port, "zero")
    range("dst_mac", setting("SERVER_MAC", "02:00:00:00:00:01"), setting("SERVER_MAC", "02:00:00:00:00:01"), "00:00:00:00:00:00")
    range("src_mac", setting("CLIENT_MAC", "02:00:00:00:00:02"), setting("CLIENT_MAC", "02:00:00:00:00:02"), "00:00:00:00:00:00")
    range("dst_ip", server, server, "0.0.0.0")
    range("src_ip", client, last, client == last and "0.0.0.0" or "0.0.0.1")
    range("dst_port", game, game, 0)
    range("src_port", 40001, 40000 + ports, 1)
    range("pkt_size", size, size, 0)
    pktgen.range.ip_proto(common.port, "udp")
    pktgen.set_range(common.port, "on")
end

-- MOVE, and PINGs up to the number of actions, of 2^VX_PLAYER_BITS players. Action numbers are random: about half are ahead of the
-- player's last and are taken, the others are answered STALE; every packet is answered.
function common.actions(count)
    assert(count >= 1 and count <= common.ACTIONS_MAX, "actions: expected 1 to " .. common.ACTIONS_MAX)
    common.flows(HEADER_BYTES + ACTION_BYTES * count)
    common.put(fields(count, setting("PLAYER_BITS", 16)))
end

-- Sends at a share of the link for some seconds: packets sent, packets received, and the share that did not come back.
function common.measure(rate_percent, seconds)
    pktgen.set(common.port, "rate", rate_percent)
    pktgen.clr()
    pktgen.start(common.port)
    pktgen.delay(math.floor(seconds * 1000))
    pktgen.stop(common.port)
    pktgen.delay(setting("DRAIN_MS", 500))
    local counted = pktgen.portStats(common.port, "port")[common.number]
    local sent, received = counted.opackets, counted.ipackets
    return sent, received, sent > 0 and math.max(0, sent - received) / sent or 1
end

return common
