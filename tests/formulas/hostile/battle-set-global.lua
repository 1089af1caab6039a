-- refused: calls cannot be set
-- What one job stores another would see.
return {
    name = "battle",
    version = 0,
    inputs = { { name = "distance_m", min = 0, max = 90 } },
    outputs = { { name = "damage", min = 5, max = 60 } },
    formula = function(distance_m, random)
        calls = distance_m return 20
    end,
}
