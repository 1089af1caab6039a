-- refused: math.floor cannot be set
-- Everybody's math.floor.
return {
    name = "battle",
    version = 0,
    inputs = { { name = "distance_m", min = 0, max = 90 } },
    outputs = { { name = "damage", min = 5, max = 60 } },
    formula = function(distance_m, random)
        math.floor = math.ceil return 20
    end,
}
