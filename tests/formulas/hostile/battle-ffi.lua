-- refused: there is no ffi here
-- Memory by the foreign function interface.
return {
    name = "battle",
    version = 0,
    inputs = { { name = "distance_m", min = 0, max = 90 } },
    outputs = { { name = "damage", min = 5, max = 60 } },
    formula = function(distance_m, random)
        return ffi.cast("int *", 0)[0]
    end,
}
