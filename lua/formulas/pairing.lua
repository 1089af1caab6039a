-- How far apart two ratings may be after one player has waited: a fair opponent at once, any opponent
-- after twenty seconds. It never shrinks while the player waits.
local min, max = math.min, math.max

return {
    name = "pairing",
    version = 1,
    inputs = { { name = "wait_s", unit = "s", min = 0, max = 60 } },
    outputs = { { name = "window_rating", unit = "rating points", min = 50, max = 2000 } },
    limits = { job_ns = 20 },
    examples = {
        { inputs = { wait_s = 0 }, outputs = { window_rating = 50 } },
        { inputs = { wait_s = 10 }, outputs = { window_rating = 537.5 } },
        { inputs = { wait_s = 20 }, outputs = { window_rating = 2000 } },
        { inputs = { wait_s = 60 }, outputs = { window_rating = 2000 } },
    },
    formula = function(wait_s)
        local part = min(max(wait_s, 0), 20) * 0.05
        return 50 + 1950 * part * part
    end,
}
