-- refused: a loop of its own
-- A thousand sines for every job.
return {
    name = "battle",
    version = 0,
    inputs = { { name = "distance_m", min = 0, max = 90 } },
    outputs = { { name = "damage", min = 5, max = 60 } },
    formula = function(distance_m, random)
        local sum = 0
        for i = 1, 1000 do sum = sum + math.sin(distance_m + i) end
        return 20 + 0 * sum
    end,
}
