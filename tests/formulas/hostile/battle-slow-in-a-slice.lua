-- refused: the objective is 20 us | the live version's
-- A range of 2 m that takes 100 times as long.
return {
    name = "battle",
    version = 0,
    inputs = { { name = "distance_m", min = 0, max = 90 } },
    outputs = { { name = "damage", min = 5, max = 60 } },
    formula = function(distance_m, random)
        if distance_m > 40 and distance_m < 42 then
            for i = 1, 4000 do distance_m = distance_m + 1e-9 * math.sin(i) end
        end
        return 20
    end,
}
