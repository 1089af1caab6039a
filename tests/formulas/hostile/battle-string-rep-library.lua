-- refused: there is no string here
-- The same by the library.
return {
    name = "battle",
    version = 0,
    inputs = { { name = "distance_m", min = 0, max = 90 } },
    outputs = { { name = "damage", min = 5, max = 60 } },
    formula = function(distance_m, random)
        return #string.rep("x", 1e9)
    end,
}
