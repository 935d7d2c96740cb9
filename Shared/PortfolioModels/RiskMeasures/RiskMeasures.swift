public import WireFormat

/// The registry of risk measures: a line a measure.
public enum RiskMeasures {
    /// Every measure, in the order in which tables show them.
    public static let all: [any RiskMeasure.Type] = [
        StandardDeviation.self,
        SquareRootKurtosis.self,
        EvenMoment.self,
        MeanAbsoluteDeviation.self,
        GiniMeanDifference.self,
        SemiDeviation.self,
        SquareRootSemiKurtosis.self,
        EvenSemiMoment.self,
        FirstLowerPartialMoment.self,
        SecondLowerPartialMoment.self,
        ValueAtRisk.self,
        ConditionalValueAtRisk.self,
        TailGini.self,
        EntropicValueAtRisk.self,
        RelativisticValueAtRisk.self,
        WorstRealisation.self,
        ValueAtRiskRange.self,
        ConditionalValueAtRiskRange.self,
        TailGiniRange.self,
        EntropicValueAtRiskRange.self,
        RelativisticValueAtRiskRange.self,
        ReturnRange.self,
        MaximumDrawdown.self,
        AverageDrawdown.self,
        DrawdownAtRisk.self,
        ConditionalDrawdownAtRisk.self,
        EntropicDrawdownAtRisk.self,
        RelativisticDrawdownAtRisk.self,
        UlcerIndex.self,
        RelativeMaximumDrawdown.self,
        RelativeAverageDrawdown.self,
        RelativeDrawdownAtRisk.self,
        RelativeConditionalDrawdownAtRisk.self,
        RelativeEntropicDrawdownAtRisk.self,
        RelativeRelativisticDrawdownAtRisk.self,
        RelativeUlcerIndex.self,
    ]

    /// The measure of a code, or nil if the registry lacks it (a test sees to it that it never does).
    public static func measure(
        _ code: RiskMeasureCode, _ parameters: RiskParameters = RiskParameters()
    ) -> (any RiskMeasure)? {
        for type in all where type.code == code { return type.init(parameters) }
        return nil
    }
}
