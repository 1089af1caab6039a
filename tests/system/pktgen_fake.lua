-- Pktgen as far as its Lua scripts see it (the functions of 23.03's Lua library): takes the calls of one script, refuses what Pktgen
-- does not have, counts packets as a link of 1,000,000 packets a second would behind which 300,000 are answered, and prints the calls.
--   luajit pktgen_fake.lua SCRIPT
local LINK, ANSWERED = 1000000, 300000

local known = {}
for name in ([[quit set start stop set_mac set_ipaddr mac_from_arp set_proto set_type ping4 pcap icmp_echo send_arp seq seqTable screen
    prime delay pause sleep load save clear clr cls update reset port_restart portCount totalPorts vlan vlanid set_range ports_per_page
    page port process capture help isSending linkState portSizes pktStats portStats portInfo run continue input pattern userPattern
    latency jitter rnd rnd_list]]):gmatch("%S+") do known[name] = true end
local ranges = {}
for name in ("dst_mac src_mac src_ip dst_ip ip_proto src_port dst_port vlan_id mpls_entry qinqids gre_key pkt_size"):gmatch("%S+") do ranges[name] = true end
local settings = {}
for name in ("count size rate burst sport dport ttl seq_cnt prime"):gmatch("%S+") do settings[name] = true end

local rate, count, sending, sent, received = 100, 0, false, 0, 0

local function record(name, ...)
    local words = { name, ... }
    for index, word in ipairs(words) do words[index] = tostring(word) end
    print("CALL\t" .. table.concat(words, "\t"))
end

local function ports(name, list)
    if type(list) ~= "string" or not (list == "all" or list:match("^%d+$")) then error(name .. ": not a port list: " .. tostring(list), 3) end
end

local does = {
    set = function(list, what, value)
        ports("set", list)
        if not settings[what] or type(value) ~= "number" then error("set does not take " .. tostring(what) .. ", " .. tostring(value), 3) end
        if what == "rate" then
            if value <= 0 or value > 100 then error("rate: not a percentage: " .. value, 3) end
            rate = value
        end
        if what == "count" then count = value end
    end,
    clr = function() sent, received = 0, 0 end,
    start = function(list) ports("start", list); sending = true end,
    stop = function(list) ports("stop", list); sending = false end,
    delay = function(ms)
        if not sending then return end
        local packets = LINK * rate / 100 * ms / 1000
        if count > 0 then packets = math.min(packets, count) end
        sent, received = sent + packets, received + math.min(packets, ANSWERED * ms / 1000)
    end,
    portStats = function(list, what)
        ports("portStats", list)
        if what ~= "port" and what ~= "rate" then error("portStats: not " .. tostring(what), 3) end
        return { [tonumber(list)] = { opackets = sent, ipackets = received } }
    end,
    rnd = function(list, index, offset, mask)
        ports("rnd", list)
        if index < 0 or index > 31 or offset < 0 or offset > 255 or #mask > 32 or mask:match("[^01.X]") then error("rnd: not a bitfield: " .. index .. " " .. offset .. " " .. mask, 3) end
    end,
    screen = function(state) if state ~= "on" and state ~= "off" then error("screen: " .. tostring(state), 3) end end,
}

local function library(names, prefix)
    return setmetatable({}, { __index = function(_, name)
        if not names[name] then error("Pktgen has no function pktgen." .. prefix .. name, 2) end
        return function(...)
            record(prefix .. name, ...)
            if does[prefix .. name] then return does[prefix .. name](...) end
            ports(prefix .. name, (...))
        end
    end })
end

pktgen = library(known, "")
rawset(pktgen, "range", library(ranges, "range."))
dofile(arg[1])
