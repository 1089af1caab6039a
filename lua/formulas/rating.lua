-- How fast a rating changes: times the change that the rating system itself has worked out. Asked once for each hundred points.
return {
    name = "rating",
    version = 1,
    inputs = { { name = "rating", unit = "rating points", min = 0, max = 4000 } },
    outputs = { { name = "gain", unit = "times the rating system's own change", min = 0.5, max = 2 } },
    examples = { { inputs = { rating = 1500 }, outputs = { gain = 1 } } },
    formula = function(rating)
        return 1
    end,
}
