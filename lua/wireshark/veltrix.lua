-- Wireshark dissector for the action protocol (docs/protocol.md), over the plain transport and inside netcode's payloads.
-- Load this file; netcode.lua and chacha20poly1305.lua lie beside it.
local veltrix = Proto("veltrix", "Veltrix action protocol")

local actions = { "FIND", "CANCEL", "ACCEPT", "DECLINE", "MOVE", "SUMMON", "STRIKE", "ACK", "LEAVE", "PING",
    "INVITE", "JOIN", "LEAVE_PARTY", "STATUS", "BLOCK" }
local results = {
    [0x01] = "OK", [0x02] = "PONG", [0x03] = "ERROR", [0x04] = "REPEATED", [0x41] = "QUEUE_STATUS", [0x42] = "PROPOSAL",
    [0x43] = "HUNT_STARTED", [0x44] = "CHEST", [0x45] = "STRIKE_RESULT", [0x46] = "LOOT_GRANTED", [0x47] = "HUNT_ENDED",
    [0x48] = "INVITED", [0x49] = "PARTY", [0x4a] = "PLACE", [0x4b] = "SEAT",
}
local codes = {
    [0] = "OK", "BUSY", "WRONG_STATE", "BAD_ARGUMENT", "TOO_FAST", "TOO_FAR", "TAKEN", "NOT_YOURS", "TIMED_OUT", "CANCELLED",
    "DECLINED", "LOST", "DRAWN", "ABANDONED", "FORMULA", "STALE", "DRAINING",
    "NOT_HERE", "NOT_LEADER", "PARTY_FULL", "PARTY_APART", "NO_MODE", "ROLES", "NO_REGION", "COOLING_DOWN",
}
local CLIENT, SERVER, VERSION = 0x56, 0x76, 1

local f = {
    magic = ProtoField.uint8("veltrix.magic", "Magic", base.HEX),
    version = ProtoField.uint8("veltrix.version", "Version"),
    count = ProtoField.uint8("veltrix.count", "Count"),
    flags = ProtoField.uint8("veltrix.flags", "Flags", base.HEX),
    player = ProtoField.uint32("veltrix.player", "Player"),
    number = ProtoField.uint32("veltrix.number", "Action number of the first action"),
    seen = ProtoField.uint32("veltrix.seen", "Highest result received in order"),
    action = ProtoField.uint8("veltrix.action", "Action", base.DEC, actions),
    result = ProtoField.uint8("veltrix.result", "Result", base.HEX, results),
    code = ProtoField.uint8("veltrix.code", "Code", base.DEC, codes),
    arg8 = ProtoField.uint8("veltrix.arg8", "arg8"),
    arg16 = ProtoField.uint16("veltrix.arg16", "arg16"),
    action_number = ProtoField.uint32("veltrix.action_number", "Answers action"),
    result_number = ProtoField.uint32("veltrix.result_number", "Result number"),
    a = ProtoField.uint32("veltrix.a", "a"),
    b = ProtoField.uint32("veltrix.b", "b"),
    c = ProtoField.uint32("veltrix.c", "c"),
}
local fields = {}
for _, field in pairs(f) do fields[#fields + 1] = field end
veltrix.fields = fields
local malformed = ProtoExpert.new("veltrix.malformed", "length contradicts the count", expert.group.MALFORMED, expert.severity.ERROR)
veltrix.experts = { malformed }

local function header(buffer, tree)
    tree:add(f.magic, buffer(0, 1))
    tree:add(f.version, buffer(1, 1))
    tree:add(f.count, buffer(2, 1))
    tree:add(f.flags, buffer(3, 1))
    tree:add_le(f.player, buffer(4, 4))
end

local function words(buffer, at, tree)
    tree:add_le(f.a, buffer(at, 4))
    tree:add_le(f.b, buffer(at + 4, 4))
    tree:add_le(f.c, buffer(at + 8, 4))
end

local function client(buffer, tree, names)
    tree:add_le(f.number, buffer(8, 4))
    tree:add_le(f.seen, buffer(12, 4))
    local at = 16
    for _ = 1, buffer(2, 1):uint() do
        if at + 16 > buffer:len() then return tree:add_proto_expert_info(malformed) end
        local name = actions[buffer(at, 1):uint()] or "?"
        local one = tree:add(veltrix, buffer(at, 16), name)
        one:add(f.action, buffer(at, 1))
        one:add(f.arg8, buffer(at + 1, 1))
        one:add_le(f.arg16, buffer(at + 2, 2))
        words(buffer, at + 4, one)
        names[#names + 1] = name
        at = at + 16
    end
end

local function server(buffer, tree, names)
    local at = 8
    for _ = 1, buffer(2, 1):uint() do
        if at + 8 > buffer:len() then return tree:add_proto_expert_info(malformed) end
        local type = buffer(at, 1):uint()
        local bytes = bit.band(type, 0x40) ~= 0 and 24 or 8
        if at + bytes > buffer:len() then return tree:add_proto_expert_info(malformed) end
        local name = results[type] or "?"
        local one = tree:add(veltrix, buffer(at, bytes), name)
        one:add(f.result, buffer(at, 1))
        one:add(f.code, buffer(at + 1, 1))
        one:add_le(f.arg16, buffer(at + 2, 2))
        one:add_le(f.action_number, buffer(at + 4, 4))
        if bytes == 24 then
            one:add_le(f.result_number, buffer(at + 8, 4))
            words(buffer, at + 12, one)
        end
        names[#names + 1] = name
        at = at + bytes
    end
end

local function ours(buffer)
    if buffer:len() < 8 or buffer(1, 1):uint() ~= VERSION then return false end
    local magic = buffer(0, 1):uint()
    return (magic == CLIENT and buffer:len() >= 16) or magic == SERVER
end

local function dissect(buffer, info, root)
    if not ours(buffer) then return 0 end
    local tree, names = root:add(veltrix, buffer()), {}
    header(buffer, tree)
    if buffer(0, 1):uint() == CLIENT then client(buffer, tree, names) else server(buffer, tree, names) end
    info.cols.protocol = "VELTRIX"
    info.cols.info = string.format("player %u: %s", buffer(4, 4):le_uint(), table.concat(names, " "))
    return buffer:len()
end
veltrix.dissector = dissect

local function heuristic(buffer, info, root)
    if not ours(buffer) then return false end
    dissect(buffer, info, root)
    return true
end
veltrix:register_heuristic("udp", heuristic)
dofile((debug.getinfo(1, "S").source:match("^@(.*[/\\])") or "") .. "netcode.lua")(dissect)
