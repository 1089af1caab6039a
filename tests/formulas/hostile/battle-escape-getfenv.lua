-- refused: there is no getfenv here
-- The environment of whoever calls.
return {
    name = "battle",
    version = 0,
    inputs = { { name = "distance_m", min = 0, max = 90 } },
    outputs = { { name = "damage", min = 5, max = 60 } },
    formula = function(distance_m, random)
        return getfenv(2).os.time()
    end,
}
