-- refused: min nan
-- A range whose end is no number.
return {
    name = "battle",
    version = 0,
    inputs = { { name = "distance_m", min = 0 / 0, max = 90 } },
    outputs = { { name = "damage", min = 5, max = 60 } },
    formula = function(distance_m, random)
        return 20
    end,
}
