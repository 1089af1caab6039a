-- FIND and ACCEPT games out of the captures that perf/pktgen/pcaps wrote, one a TX queue (`-s 0:FILE,FILE`), once through: VX_COUNT
-- packets, as pcaps.json says, at VX_RATE percent of the link. veltrixd must be freshly started, for the capture knows its match numbers.
package.path = package.path .. ";perf/pktgen/?.lua"
local common = require "common"

pktgen.screen("off")
pktgen.set_range(common.port, "off")
pktgen.set(common.port, "count", common.setting("COUNT", 0))
pktgen.pcap(common.port, "on")
local sent, answered = common.measure(common.setting("RATE", 1), common.seconds)
print("sent\tanswered")
print(string.format("%.0f\t%.0f", sent, answered))
