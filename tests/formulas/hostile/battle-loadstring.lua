-- refused: there is no loadstring here
-- The same under its old name.
return {
    name = "battle",
    version = 0,
    inputs = { { name = "distance_m", min = 0, max = 90 } },
    outputs = { { name = "damage", min = 5, max = 60 } },
    formula = function(distance_m, random)
        return loadstring("return 20")()
    end,
}
