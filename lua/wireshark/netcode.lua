-- Wireshark dissector for netcode 1.02 (docs/protocol.md): what its clear bytes say and, for sessions whose keys are in the
-- file that the preference netcode.keys names, what is sealed. veltrix.lua
-- loads it and gives it the dissector of payloads.
--
-- A line of the key file: protocol id, client key, server key, as `veltrixctl token inspect TOKEN --secrets` shows them
-- under "wireshark"; what follows a # is a comment. Which line belongs to which session is found by trying.
local folder = debug.getinfo(1, "S").source:match("^@(.*[/\\])") or ""
local aead = dofile(folder .. "chacha20poly1305.lua")

local REQUEST, DENIED, CHALLENGE, RESPONSE, KEEP_ALIVE, PAYLOAD, DISCONNECT = 0, 1, 2, 3, 4, 5, 6
local VERSION, REQUEST_BYTES, TAG_BYTES, PAYLOAD_BYTES_MAX = "NETCODE 1.02\0", 1078, 16, 1200
local types = {
    [REQUEST] = "REQUEST", [DENIED] = "DENIED", [CHALLENGE] = "CHALLENGE", [RESPONSE] = "RESPONSE", [KEEP_ALIVE] = "KEEP_ALIVE",
    [PAYLOAD] = "PAYLOAD", [DISCONNECT] = "DISCONNECT",
}
local body_bytes = { [DENIED] = 0, [CHALLENGE] = 308, [RESPONSE] = 308, [KEEP_ALIVE] = 8, [DISCONNECT] = 0 }
local by_client, by_server = { [RESPONSE] = true }, { [DENIED] = true, [CHALLENGE] = true }

local netcode = Proto("netcode", "Netcode 1.02")
local f = {
    prefix = ProtoField.uint8("netcode.prefix", "Prefix", base.HEX),
    type = ProtoField.uint8("netcode.type", "Type", base.DEC, types, 0x0f),
    sequence_bytes = ProtoField.uint8("netcode.sequence_bytes", "Bytes of sequence number", base.DEC, nil, 0xf0),
    sequence = ProtoField.uint64("netcode.sequence", "Sequence number"),
    version = ProtoField.stringz("netcode.version", "Version"),
    protocol_id = ProtoField.uint64("netcode.protocol_id", "Protocol id", base.HEX),
    expires = ProtoField.uint64("netcode.expires", "Token expires (Unix time)"),
    nonce = ProtoField.bytes("netcode.nonce", "Token nonce"),
    token = ProtoField.bytes("netcode.token", "Sealed private token"),
    token_tag = ProtoField.bytes("netcode.token_tag", "Tag of the private token"),
    sealed = ProtoField.bytes("netcode.sealed", "Sealed data"),
    tag = ProtoField.bytes("netcode.tag", "Tag"),
    from_client = ProtoField.bool("netcode.from_client", "Sealed by the client"),
    challenge_sequence = ProtoField.uint64("netcode.challenge_sequence", "Challenge number"),
    challenge = ProtoField.bytes("netcode.challenge", "Sealed challenge token"),
    client_index = ProtoField.uint32("netcode.client_index", "Client index"),
    clients_max = ProtoField.uint32("netcode.clients_max", "Clients at most"),
    data = ProtoField.bytes("netcode.data", "Payload"),
}
local fields = {}
for _, field in pairs(f) do fields[#fields + 1] = field end
netcode.fields = fields
local unopened = ProtoExpert.new("netcode.unopened", "no key of netcode.keys opens this packet", expert.group.DECRYPTION, expert.severity.NOTE)
local keys_wrong = ProtoExpert.new("netcode.keys_wrong", "netcode.keys cannot be read", expert.group.DECRYPTION, expert.severity.WARN)
netcode.experts = { unopened, keys_wrong }
netcode.prefs.keys = Pref.string("Session keys", "", "A file with lines of: protocol id, client key, server key")

local sessions, keys_error = {}, nil -- of the key file
local flows, opened = {}, {}         -- which key a flow uses; what each packet of the capture opened to

local function unhex(text)
    return (text:gsub("..", function(two) return string.char(tonumber(two, 16)) end))
end

-- The protocol id, decimal or 0x…, as eight bytes: a double does not hold it.
local function id_bytes(text)
    local id = text:match("^0x%x+$") and UInt64.fromhex(text:sub(3)) or text:match("^%d+$") and UInt64(text)
    if not id then return nil end
    local out, low, high = {}, id:lower(), id:higher()
    for i = 1, 8 do
        local from = i <= 4 and low or high
        out[i] = string.char(math.floor(from / 256 ^ ((i - 1) % 4)) % 256)
    end
    return table.concat(out)
end

local function keys_load(path)
    sessions, keys_error = {}, nil
    if path == "" then return end
    local file, why = io.open(path)
    if not file then keys_error = why return end
    local number = 0
    for line in file:lines() do
        number = number + 1
        local said = line:gsub("#.*", "")
        local id, client_key, server_key = said:match("^%s*(%w+)%s+(%x+)%s+(%x+)%s*$")
        if id and id_bytes(id) and #client_key == 64 and #server_key == 64 then
            sessions[#sessions + 1] = { aad = VERSION .. id_bytes(id), client = unhex(client_key), server = unhex(server_key) }
        elseif said:match("%S") then
            keys_error = string.format("%s:%d: expected a protocol id and two keys of 64 hexadecimal digits", path, number)
        end
    end
    file:close()
end

function netcode.init()
    flows, opened = {}, {}
    keys_load(netcode.prefs.keys)
end

local function try(buffer, session, from_client, offset)
    local count = offset - 1
    local nonce = "\0\0\0\0" .. buffer:raw(1, count) .. string.rep("\0", 8 - count)
    return aead.open(from_client and session.client or session.server, nonce, session.aad .. buffer:raw(0, 1), buffer:raw(offset))
end

-- What the packet opens to and whether the client sealed it; nil when no key fits. The flow's key is tried first.
local function open(buffer, info, kind, offset)
    if opened[info.number] then return opened[info.number] end
    local flow = string.format("%s %d %s %d", tostring(info.src), info.src_port, tostring(info.dst), info.dst_port)
    local known = flows[flow]
    local order = known and { known } or {}
    for _, session in ipairs(sessions) do
        if not by_server[kind] then order[#order + 1] = { session, true } end
        if not by_client[kind] then order[#order + 1] = { session, false } end
    end
    for _, one in ipairs(order) do
        local text = try(buffer, one[1], one[2], offset)
        if text then
            flows[flow] = one
            opened[info.number] = { text = text, from_client = one[2] }
            return opened[info.number]
        end
    end
    return nil
end

local function show_body(kind, body, info, tree, payload)
    if kind == CHALLENGE or kind == RESPONSE then
        tree:add_le(f.challenge_sequence, body(0, 8))
        tree:add(f.challenge, body(8))
    elseif kind == KEEP_ALIVE then
        tree:add_le(f.client_index, body(0, 4))
        tree:add_le(f.clients_max, body(4, 4))
    elseif kind == PAYLOAD and payload(body, info, tree) == 0 then
        tree:add(f.data, body())
    end
end

local function sealed(buffer, info, tree, payload)
    local kind, offset = buffer(0, 1):uint() % 16, 1 + math.floor(buffer(0, 1):uint() / 16)
    local body_length = buffer:len() - offset - TAG_BYTES
    tree:add(f.type, buffer(0, 1))
    tree:add(f.sequence_bytes, buffer(0, 1))
    tree:add_le(f.sequence, buffer(1, offset - 1))
    local shown = body_length > 0 and tree:add(f.sealed, buffer(offset, body_length)) or tree
    tree:add(f.tag, buffer(offset + body_length))
    info.cols.info = string.format("%s %s", types[kind], tostring(buffer(1, offset - 1):le_uint64()))
    if keys_error then tree:add_proto_expert_info(keys_wrong, keys_error) end
    if #sessions == 0 then return end
    local found = open(buffer, info, kind, offset)
    if not found then
        shown:add_proto_expert_info(unopened)
        return
    end
    tree:add(f.from_client, buffer(0, 1), found.from_client):set_generated()
    if body_length > 0 then
        local hex = found.text:gsub(".", function(c) return string.format("%02x", c:byte()) end)
        show_body(kind, ByteArray.new(hex):tvb("Opened"), info, tree, payload)
    end
end

local function request(buffer, info, tree)
    tree:add(f.type, buffer(0, 1))
    tree:add(f.version, buffer(1, 13))
    tree:add_le(f.protocol_id, buffer(14, 8))
    tree:add_le(f.expires, buffer(22, 8))
    tree:add(f.nonce, buffer(30, 24))
    tree:add(f.token, buffer(54, 1008))
    tree:add(f.token_tag, buffer(1062, TAG_BYTES))
    info.cols.info = string.format("REQUEST, protocol id 0x%s, expires %s", buffer(14, 8):le_uint64():tohex(), tostring(buffer(22, 8):le_uint64()))
end

local function is_request(buffer)
    return buffer:len() == REQUEST_BYTES and buffer(0, 1):uint() == REQUEST and buffer:raw(1, 13) == VERSION
end

-- Whether these can be a sealed packet's bytes at all.
local function is_sealed(buffer)
    if buffer:len() < 18 then return false end
    local kind, count = buffer(0, 1):uint() % 16, math.floor(buffer(0, 1):uint() / 16)
    local length = buffer:len() - 1 - count - TAG_BYTES
    if kind == REQUEST or not types[kind] or count < 1 or count > 8 then return false end
    return length == body_bytes[kind] or (kind == PAYLOAD and length >= 1 and length <= PAYLOAD_BYTES_MAX)
end

-- Registers the dissector. payload(buffer, info, tree): how many bytes of a payload it showed, 0 when they are not its own.
return function(payload)
    function netcode.dissector(buffer, info, root)
        if not is_request(buffer) and not is_sealed(buffer) then return 0 end
        local tree = root:add(netcode, buffer())
        info.cols.protocol = "NETCODE"
        if is_request(buffer) then request(buffer, info, tree) else sealed(buffer, info, tree, payload) end
        return buffer:len()
    end

    -- A request is unmistakable, and what follows in its conversation is netcode too. A sealed packet on its own is only
    -- a first byte and a length: it counts when one of our keys opens it. "Decode as" takes whatever has the shape.
    netcode:register_heuristic("udp", function(buffer, info, root)
        local ours = is_request(buffer)
        if not ours and is_sealed(buffer) and #sessions > 0 then
            ours = open(buffer, info, buffer(0, 1):uint() % 16, 1 + math.floor(buffer(0, 1):uint() / 16)) ~= nil
        end
        if not ours then return false end
        info.conversation = netcode
        netcode.dissector(buffer, info, root)
        return true
    end)
    DissectorTable.get("udp.port"):add_for_decode_as(netcode)
end
