package e2e

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/crashcheck/crashcheck/test/e2e/gate"
)

// These tests run docs/examples as docs/pipelines.md describes, with the real kubectl, with the images of this node and
// short windows.

// noVerdict is the exit code of release.sh if there is no verdict.
const noVerdict = 100

// A repository is that of a user who follows docs/pipelines.md: docs/examples in a checkout of crashcheck.
type repository struct{ namespace, folder string }

// newRepository returns a repository with a window of 20 s and a limit of one crash.
func newRepository(t *testing.T, namespace string) repository {
	t.Helper()
	r := repository{namespace, filepath.Join(checkout(t, namespace), "docs/examples")}
	r.useGate(t, map[string]string{"INTERVAL": "1", "DURATION": "20", "CRASH_LIMIT": "1"})
	// No run has to wait for a new binding.
	apply(t, namespace, documents(t, filepath.Join(r.folder, "k8s/crashcheck"), permissionKinds...))
	permitted(t, namespace, shippedAccount)
	return r
}

// job is the manifest of the gate.
func (r repository) job() string { return filepath.Join(r.folder, "../../deploy/base/job.yaml") }

func (r repository) useGate(t *testing.T, environment map[string]string) {
	t.Helper()
	setEnvironment(t, r.job(), environment)
}

// deployment writes a version of the Deployment of the example.
func (r repository) deployment(t *testing.T, path, version string, options ...option) {
	t.Helper()
	path = filepath.Join(r.folder, path)
	var shop appsv1.Deployment
	parse(t, readFile(t, path), &shop)
	shop.Spec.Template.Spec = mains(container("shop", append(options, env("VERSION", version))...))
	write(t, path, marshal(t, shop))
}

// releases runs release.sh for a version, which has to exit with this code, to say these texts, and to leave pods of the
// version that remains.
func (r repository) releases(t *testing.T, version string, c option, exitCode int, remains string, texts ...string) {
	t.Helper()
	r.deployment(t, "k8s/shop.yaml", version, c)
	wantTexts(t, shell(t, r.folder, nil, "./release.sh "+r.namespace+" shop k8s/shop.yaml k8s/crashcheck", exitCode), texts...)
	wantVersion(t, r.namespace, remains)
}

func TestReleaseScript(t *testing.T) {
	needsNode(t)
	t.Parallel()
	t.Run("good releases proceed, and a bad one is rolled back to the last of them", func(t *testing.T) {
		t.Parallel()
		r := newRepository(t, newNamespace(t))
		r.releases(t, "1", ready, gate.Pass, "1", `"verdict":"pass"`, "the gate passed")
		r.releases(t, "2", ready, gate.Pass, "2", `"verdict":"pass"`, "the gate passed")
		r.useGate(t, map[string]string{"DURATION": "90"})
		r.releases(t, "3", ends("1s", "3"), gate.Fail, "2", `"verdict":"fail"`, "rolling back to revision 2", "failed with exit code 1")
	})
	t.Run("a first release that crashes cannot be rolled back, nor can its repetition", func(t *testing.T) {
		t.Parallel()
		r := newRepository(t, newNamespace(t))
		r.useGate(t, map[string]string{"DURATION": "90"})
		for range 2 {
			r.releases(t, "1", ends("1s", "3"), gate.Fail, "1", `"verdict":"fail"`, "no other revision to roll back to")
		}
	})
	for name, test := range map[string]struct{ old, new, text string }{
		"a gate that never starts ends at its deadline and rolls back": {"activeDeadlineSeconds: 600", "activeDeadlineSeconds: 1", "DeadlineExceeded"},
		"a gate that the server rejects rolls back":                    {"restartPolicy: Never", "restartPolicy: Always", "restartPolicy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRepository(t, newNamespace(t))
			r.releases(t, "1", ready, gate.Pass, "1")
			replaceIn(t, r.job(), test.old, test.new)
			r.releases(t, "2", ready, noVerdict, "1", test.text, "rolling back to revision 1")
		})
	}
}

// TestPipelineExamples runs the commands of the examples literally: GitHub Actions for a first release, GitLab CI for a
// second one that crashes.
func TestPipelineExamples(t *testing.T) {
	needsNode(t)
	t.Parallel()
	r := newRepository(t, createNamespace(t, metav1.ObjectMeta{Name: "shop"})) // as the commands say
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct {
				Env map[string]string
				Run string
			}
		}
	}
	parse(t, readFile(t, filepath.Join(r.folder, "github-actions.yaml")), &workflow)
	r.deployment(t, "k8s/shop.yaml", "1", ready)
	// A step can set variables of the next steps in the file GITHUB_ENV.
	temp := t.TempDir()
	variables := filepath.Join(temp, "env")
	write(t, variables, "")
	ran := 0
	for _, step := range workflow.Jobs["release"].Steps {
		if step.Run == "" {
			continue
		}
		environment := append(strings.Fields(readFile(t, variables)), "RUNNER_TEMP="+temp, "GITHUB_ENV="+variables)
		for name, value := range step.Env {
			environment = append(environment, name+"="+strings.Replace(value, "${{ secrets.KUBECONFIG }}", readFile(t, the.Kubeconfig), 1))
		}
		shell(t, r.folder, environment, step.Run, 0)
		ran++
	}
	if ran != 2 {
		t.Errorf("%d steps were run, want 2", ran)
	}
	wantVersion(t, r.namespace, "1")

	var pipeline struct {
		Release struct{ Script []string }
	}
	parse(t, readFile(t, filepath.Join(r.folder, "gitlab-ci.yaml")), &pipeline)
	r.useGate(t, map[string]string{"DURATION": "90"})
	r.deployment(t, "k8s/shop.yaml", "2", ends("1s", "3"))
	output := shell(t, r.folder, nil, strings.Join(pipeline.Release.Script, "\n"), gate.Fail)
	wantTexts(t, output, `"verdict":"fail"`, "rolling back to revision 1")
	wantVersion(t, r.namespace, "1")
}

// TestArgoCDExample applies the example in the order of Argo CD: the sync, the wait until everything is healthy, the
// hook.
func TestArgoCDExample(t *testing.T) {
	needsNode(t)
	t.Parallel()
	namespace := newNamespace(t)
	r := newRepository(t, namespace)
	r.deployment(t, "argo-cd/deployment.yaml", "1", ready)
	folder := filepath.Join(r.folder, "argo-cd")
	apply(t, namespace, documents(t, folder, append(permissionKinds, "Deployment")...))
	kubectl(t, "", "--namespace", namespace, "rollout", "status", "deployment/shop", "--timeout="+patience.String())
	hook := documents(t, folder, "Job")
	wantTexts(t, hook, "argocd.argoproj.io/hook: PostSync")
	apply(t, namespace, hook)
	wantWorkload(t, finishJob(t, namespace, patience, gate.Pass), "deployment/shop", 2)
}

// The example for a StatefulSet, as a Job on this node.
func TestStatefulSetExample(t *testing.T) {
	needsNode(t)
	t.Parallel()
	namespace := newNamespace(t)
	r := newRepository(t, namespace)
	labels := map[string]string{"app": "cart"}
	_, err := the.Client.AppsV1().StatefulSets(namespace).Create(t.Context(), &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: "cart"},
		Spec: appsv1.StatefulSetSpec{
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: mains(container("cart", ready))},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	apply(t, namespace, documents(t, filepath.Join(r.folder, "k8s/crashcheck-statefulset")))
	wantWorkload(t, finishJob(t, namespace, 2*patience, gate.Pass), "statefulset/cart", 1)
}

// wantWorkload wants a Job to have checked this many pods of a workload.
func wantWorkload(t *testing.T, result jobResult, workload string, pods int64) {
	t.Helper()
	if checked := result.Report.Workload; checked == nil || *checked != workload || result.Report.Pods != pods {
		t.Errorf("want a pass over %d pods of %s, got %s", pods, workload, result)
	}
}

// wantVersion waits until all pods of the Deployment "shop" have that VERSION.
func wantVersion(t *testing.T, namespace, version string) {
	t.Helper()
	eventually(t, "all pods are of version "+version, patience, func(context.Context) error {
		pods := podsIn(t, namespace, "app.kubernetes.io/name=shop")
		if len(pods) == 0 {
			return errors.New("there are no pods")
		}
		for _, pod := range pods {
			for _, variable := range pod.Spec.Containers[0].Env {
				if variable.Name == "VERSION" && variable.Value != version {
					return fmt.Errorf("%s is of version %s", pod.Name, variable.Value)
				}
			}
		}
		return nil
	})
}
