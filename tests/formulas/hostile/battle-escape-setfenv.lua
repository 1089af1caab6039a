-- refused: there is no setfenv here
-- An environment of its own making.
return {
    name = "battle",
    version = 0,
    inputs = { { name = "distance_m", min = 0, max = 90 } },
    outputs = { { name = "damage", min = 5, max = 60 } },
    formula = function(distance_m, random)
        setfenv(1, {}) return 20
    end,
}
