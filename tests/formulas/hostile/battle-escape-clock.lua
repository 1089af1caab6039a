-- refused: there is no os here
-- A clock, with which a job would not be the same twice.
return {
    name = "battle",
    version = 0,
    inputs = { { name = "distance_m", min = 0, max = 90 } },
    outputs = { { name = "damage", min = 5, max = 60 } },
    formula = function(distance_m, random)
        return os.clock()
    end,
}
