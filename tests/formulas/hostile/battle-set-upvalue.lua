-- refused: the next time
-- State from job to job.
local calls = 0
return {
    name = "battle",
    version = 0,
    inputs = { { name = "distance_m", min = 0, max = 90 } },
    outputs = { { name = "damage", min = 5, max = 60 } },
    formula = function(distance_m, random)
        calls = (calls + 1) % 40 return 20 + calls
    end,
}
