# Builds (GPU kernels first, as far as compilers for them are here), tests, benchmarks or packs Asni. The same steps in the same order as build.sh.
#   ./build.ps1 [build|test|bench|pack] [arguments for dotnet test, or for the benchmarks]
$ErrorActionPreference = 'Stop'
Set-Location $PSScriptRoot

function Invoke-Step([string] $program, [string[]] $arguments) {
    & $program @arguments
    if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
}

function Build {
    # Without cmake and a compiler for them there are no GPU kernels, and Asni runs on the CPU.
    if (Get-Command cmake -ErrorAction SilentlyContinue) {
        $generator = if (Get-Command ninja -ErrorAction SilentlyContinue) { @('-G', 'Ninja') } else { @() }
        Invoke-Step cmake (@('-S', '.', '-B', 'build/native') + $generator)
        Invoke-Step cmake @('--build', 'build/native', '--config', 'Release')
    } else {
        Write-Output 'cmake not found: GPU kernels will not be built (to have them: winget install Kitware.CMake Ninja-build.Ninja LLVM.LLVM).'
    }
    Invoke-Step dotnet @('build')
}

$verb = if ($args.Count -gt 0) { $args[0] } else { 'build' }
$rest = @($args | Select-Object -Skip 1)
switch -CaseSensitive ($verb) {
    'build' { Build }
    'test' { Build; Invoke-Step dotnet (@('test', '--no-build') + $rest) }
    'bench' { Build; Invoke-Step dotnet (@('run', '--no-build', '--project', 'bench/Asni.Bench', '--') + $rest) }
    'pack' {
        Build
        Invoke-Step dotnet @('pack', '--no-build', '-o', 'artifacts')
        & dotnet pack src/Asni.Host -p:Precompiled=true -o artifacts
        if ($LASTEXITCODE -ne 0) {
            [Console]::Error.WriteLine('build.ps1: the tool could not be compiled ahead of time; artifacts/ has it all the same, and it starts slower.')
            exit 0
        }
    }
    default { [Console]::Error.WriteLine("build.ps1: there is no verb '$verb'; use build, test, bench or pack."); exit 2 }
}
