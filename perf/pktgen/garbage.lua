-- Garbage at VX_RATE percent of the link: a payload of random bits behind good headers, to the game's port. An answer to it would be a
-- bug (but for one in 2^24, whose first three bytes and length happen to be right), so what comes back is printed beside what left.
package.path = package.path .. ";perf/pktgen/?.lua"
local common = require "common"

local PAYLOAD_BYTES, CHECKSUM_AT = 32, 40
common.flows(PAYLOAD_BYTES)
local list = { { offset = CHECKSUM_AT, mask = string.rep("0", 16) .. string.rep("X", 16) } }
for at = CHECKSUM_AT + 4, CHECKSUM_AT + PAYLOAD_BYTES, 4 do
    list[#list + 1] = { offset = at, mask = string.rep("X", at < CHECKSUM_AT + PAYLOAD_BYTES and 32 or 16) }
end
common.put(list)
local sent, answered = common.measure(common.setting("RATE", 100), common.seconds)
print("sent_per_s\tanswered_per_s")
print(string.format("%.0f\t%.0f", sent / common.seconds, answered / common.seconds))
