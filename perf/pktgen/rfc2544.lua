-- RFC 2544's throughput: for frames of 1 to 12 actions the highest rate that comes back, by halving, VX_STEPS times. Lost is what is more
-- than VX_LOSS of the packets, because results for one player within a pass leave in one packet; set transport.window_us = 0.
-- Pktgen's own latency mode needs its stamp back, which no answer of ours carries: latency is perf/rfc2544's, or status's residence.
package.path = package.path .. ";perf/pktgen/?.lua"
local common = require "common"

local function throughput(loss, steps)
    local low, high, best = 0, 100, { rate = 0, sent = 0 }
    for step = 1, steps do
        local rate = step == 1 and high or (low + high) / 2
        local sent, _, share = common.measure(rate, common.seconds)
        if share <= loss then
            low, best = rate, { rate = rate, sent = sent }
        else
            high = rate
        end
        if low == high then break end
    end
    return best
end

print("actions\tframe_bytes\trate_percent\tpackets_per_s")
for count in common.setting("SIZES", "1,2,4,8,12"):gmatch("%d+") do
    common.actions(tonumber(count))
    local best = throughput(common.setting("LOSS", 0.001), common.setting("STEPS", 10))
    print(string.format("%s\t%d\t%.2f\t%.0f", count, 62 + 16 * count, best.rate, best.sent / common.seconds))
end
