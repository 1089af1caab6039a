-- refused: attempt to index a string value
-- A method of strings: a gigabyte at once.
return {
    name = "battle",
    version = 0,
    inputs = { { name = "distance_m", min = 0, max = 90 } },
    outputs = { { name = "damage", min = 5, max = 60 } },
    formula = function(distance_m, random)
        return #(("x"):rep(1e9))
    end,
}
