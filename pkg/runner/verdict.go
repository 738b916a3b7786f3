package runner

import "github.com/crashcheck/crashcheck/pkg/checker"

// judge reaches the verdict at the end of the window. The order of the cases is the order of precedence. mostPods and mostRan
// are the largest numbers of pods that one check listed, and that had run.
func judge(plan Plan, final checker.Tally, mostPods, mostRan int) (Verdict, Cause) {
	someRequired := plan.MinPods > 0
	switch {
	case final.Crashes >= plan.CrashLimit:
		return Fail, ""
	case final.Superseded != "":
		return Inconclusive, Superseded
	case final.Version.Aborted != "":
		return Inconclusive, Aborted
	case final.Version.Pending != "":
		return Inconclusive, NoVersion
	case someRequired && mostPods == 0:
		return Inconclusive, NeverMatched
	case int64(mostRan) < plan.MinPods:
		return Inconclusive, NeverRan
	case someRequired && final.Present == 0 && len(final.Unreported) > 0:
		return Inconclusive, Unreported
	case someRequired && final.Present == 0:
		return Inconclusive, Gone
	case final.Baseline:
		return Inconclusive, NoBaseline
	case plan.RequireReady && len(final.NotReady) > 0:
		return NotReady, PodsNotReady
	case plan.RequireReady && someRequired && final.Active == 0:
		return NotReady, NoneToJudge
	}
	return Pass, ""
}
