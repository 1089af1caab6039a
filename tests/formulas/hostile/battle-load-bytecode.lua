-- refused: there is no load here
-- Bytecode that is not checked by anybody.
return {
    name = "battle",
    version = 0,
    inputs = { { name = "distance_m", min = 0, max = 90 } },
    outputs = { { name = "damage", min = 5, max = 60 } },
    formula = function(distance_m, random)
        return load("\27LJ\2")() or 20
    end,
}
