-- refused: there is no require here
-- The same by require.
return {
    name = "battle",
    version = 0,
    inputs = { { name = "distance_m", min = 0, max = 90 } },
    outputs = { { name = "damage", min = 5, max = 60 } },
    formula = function(distance_m, random)
        return require("ffi").cast("int *", 0)[0]
    end,
}
