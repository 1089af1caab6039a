-- refused: nan for distance_m 45.
-- Not a number, for one strike in a thousand.
return {
    name = "battle",
    version = 0,
    inputs = { { name = "distance_m", min = 0, max = 90 } },
    outputs = { { name = "damage", min = 5, max = 60 } },
    formula = function(distance_m, random)
        if distance_m > 45 and distance_m < 45.1 then return 0 / 0 end return 20
    end,
}
