-- refused: stack overflow
-- Recursion for every job.
local function deep(x) return 1 + deep(x) end
return {
    name = "battle",
    version = 0,
    inputs = { { name = "distance_m", min = 0, max = 90 } },
    outputs = { { name = "damage", min = 5, max = 60 } },
    formula = function(distance_m, random)
        return deep(distance_m)
    end,
}
