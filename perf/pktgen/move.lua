-- MOVE bounced at a swept rate: VX_RATES are shares of the link in percent, VX_ACTIONS actions in a packet, VX_SOURCE_PORTS ports of
-- addresses VX_CLIENT_IP to VX_CLIENT_IP_LAST. Prints a line a rate: percent, packets sent and answered a second, share unanswered.
package.path = package.path .. ";perf/pktgen/?.lua"
local common = require "common"

common.actions(common.setting("ACTIONS", 2))
print("rate_percent\tsent_per_s\tanswered_per_s\tunanswered")
for rate in common.setting("RATES", "1,2,5,10,20,40,60,80,100"):gmatch("[%d.]+") do
    local sent, answered, share = common.measure(tonumber(rate), common.seconds)
    print(string.format("%s\t%.0f\t%.0f\t%.6f", rate, sent / common.seconds, answered / common.seconds, share))
end
