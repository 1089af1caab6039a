-- refused: damage is inf
-- Infinity, where the square root of the distance is.
return {
    name = "battle",
    version = 0,
    inputs = { { name = "distance_m", min = 0, max = 90 } },
    outputs = { { name = "damage", min = 5, max = 60 } },
    formula = function(distance_m, random)
        return 20 + 1 / (distance_m - distance_m)
    end,
}
