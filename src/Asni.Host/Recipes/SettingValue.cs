namespace Asni.Host.Recipes;

/// <summary>A value and where it was given ("--lr", "my.yaml line 5: lr"), for error messages.</summary>
internal sealed record SettingValue(string Text, string Origin);
