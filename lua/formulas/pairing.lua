-- How far apart two ratings may be after one player has waited: a fair opponent at once, any opponent
-- after twenty seconds. It never shrinks while the player waits.
local min, max = math.min, math.max

return {
    name = "pairing",
    version = 1,
    inputs = { { name = "wait_s", min = 0, max = 60 } },
    outputs = { { name = "window_rating", min = 50, max = 2000 } },
    formula = function(wait_s)
        local part = min(max(wait_s, 0), 20) * 0.05
        return 50 + 1950 * part * part
    end,
}
