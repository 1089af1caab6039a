-- Who has won a finished hunt, seen from one side: 1 won, 0.5 drawn, 0 lost. Who stayed beats who left, the living beat the
-- dead, then chests count.
local none, us, them = 0, 1, 2 -- who left

return {
    name = "score",
    version = 1,
    inputs = {
        { name = "chests", unit = "chests", min = 0, max = 8, whole = true },
        { name = "chests_other", unit = "chests", min = 0, max = 8, whole = true },
        { name = "health", unit = "health", min = 0, max = 100, whole = true },
        { name = "health_other", unit = "health", min = 0, max = 100, whole = true },
        { name = "left", unit = "0 nobody, 1 this side, 2 the other, 3 both", min = 0, max = 3, whole = true },
    },
    outputs = { { name = "score", unit = "1 won, 0.5 drawn, 0 lost", min = 0, max = 1 } },
    examples = {
        { inputs = { chests = 5, chests_other = 3, health = 40, health_other = 90, left = none }, outputs = { score = 1 } },
        { inputs = { chests = 5, chests_other = 3, health = 0, health_other = 90, left = none }, outputs = { score = 0 } },
        { inputs = { chests = 0, chests_other = 8, health = 10, health_other = 90, left = them }, outputs = { score = 1 } },
        { inputs = { chests = 8, chests_other = 0, health = 10, health_other = 90, left = us }, outputs = { score = 0 } },
        { inputs = { chests = 4, chests_other = 4, health = 10, health_other = 90, left = none }, outputs = { score = 0.5 } },
        { inputs = { chests = 4, chests_other = 2, health = 0, health_other = 0, left = none }, outputs = { score = 0.5 } },
        { inputs = { chests = 4, chests_other = 2, health = 50, health_other = 50, left = 3 }, outputs = { score = 0.5 } },
    },
    formula = function(chests, chests_other, health, health_other, left)
        local stayed = below(1, left) - below(0, left) * below(left, 2) -- 1: they left, -1: we did
        local alive, alive_other = below(0, health), below(0, health_other)
        -- What weighs more cannot be made up by what weighs less; chests count only while both live.
        local lead = 4 * stayed + 2 * (alive - alive_other) + alive * alive_other * clamp(chests - chests_other, -1, 1)
        return 0.5 + 0.5 * clamp(lead, -1, 1) * below(left, 3) -- both left: drawn
    end,
}
