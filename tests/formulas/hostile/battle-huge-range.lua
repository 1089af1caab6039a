-- refused: max 1e+308, expected
-- A range wider than the world.
return {
    name = "battle",
    version = 0,
    inputs = { { name = "distance_m", min = 0, max = 1e308 } },
    outputs = { { name = "damage", min = 5, max = 60 } },
    formula = function(distance_m, random)
        return 20
    end,
}
